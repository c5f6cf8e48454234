"""The services of the contract: which listener has which, and how they are added to a server."""

import grpc.aio
from tradewire.v1 import (
    account_service_pb2_grpc,
    admin_service_pb2_grpc,
    execution_service_pb2_grpc,
    key_service_pb2_grpc,
    market_data_service_pb2_grpc,
    order_service_pb2_grpc,
    session_service_pb2_grpc,
)

from tradewire_server.api.accounts import AccountService
from tradewire_server.api.admin import AdminService
from tradewire_server.api.admission import Admission
from tradewire_server.api.batches import Batches
from tradewire_server.api.enter_orders import OrderEntry
from tradewire_server.api.executions import ExecutionService
from tradewire_server.api.keys import KeyService
from tradewire_server.api.market_data import BookEncoder, MarketDataService
from tradewire_server.api.orders import OrderService
from tradewire_server.api.sessions import SessionService
from tradewire_server.api.venue import Venue
from tradewire_server.auth.keys import KeyRing
from tradewire_server.auth.provisioning import KeyMaker

PACKAGE = "tradewire.v1."
PUBLIC_SERVICES = frozenset(
    PACKAGE + name
    for name in (
        "OrderService",
        "ExecutionService",
        "MarketDataService",
        "AccountService",
        "KeyService",
        "SessionService",
    )
)
ADMIN_SERVICES = frozenset(PACKAGE + name for name in ("AdminService", "SessionService"))


class Services:
    """One servicer per service of the contract."""

    def __init__(
        self,
        venue: Venue,
        *,
        public: Admission,
        admin: Admission,
        books: BookEncoder,
        maker: KeyMaker,
        ring: KeyRing,
        epoch: int,
    ) -> None:
        """Signing in is on both listeners; `public` and `admin` are what each lets through."""
        self._orders = OrderService(venue, OrderEntry(venue, public), Batches(venue, public))
        self._executions = ExecutionService(venue, public)
        self._market_data = MarketDataService(venue, public, books, epoch)
        self._accounts = AccountService(venue, public)
        self._keys = KeyService(venue, maker, ring)
        self._sessions = SessionService(venue, public)
        self._admin_sessions = SessionService(venue, admin)
        self._admin = AdminService(venue, maker)

    def add_public(self, server: grpc.aio.Server) -> None:
        """Add what everybody can reach."""
        order_service_pb2_grpc.add_OrderServiceServicer_to_server(self._orders, server)
        execution_service_pb2_grpc.add_ExecutionServiceServicer_to_server(self._executions, server)
        market_data_service_pb2_grpc.add_MarketDataServiceServicer_to_server(
            self._market_data, server
        )
        account_service_pb2_grpc.add_AccountServiceServicer_to_server(self._accounts, server)
        key_service_pb2_grpc.add_KeyServiceServicer_to_server(self._keys, server)
        session_service_pb2_grpc.add_SessionServiceServicer_to_server(self._sessions, server)

    def add_admin(self, server: grpc.aio.Server) -> None:
        """Add what operates the venue."""
        admin_service_pb2_grpc.add_AdminServiceServicer_to_server(self._admin, server)
        session_service_pb2_grpc.add_SessionServiceServicer_to_server(self._admin_sessions, server)
