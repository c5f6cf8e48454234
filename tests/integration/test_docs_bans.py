"""What the page of limits says about bans: what passes, what goes on, and who tells how long."""

import json

import httpx
from tradewire_server.app import Settings
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy

from tests.support.envoy import bearer, data_directory, running_rest_venue

SLOW = 10**6
STRICT = LimitPolicy(key=Gcra(1, 20, SLOW), refusals=Gcra(1, 1, SLOW), waits_at_once=0)


def _order(client_order_id: str) -> dict[str, str]:
    return {
        "clientOrderId": client_order_id,
        "symbol": "BTC-USD",
        "side": "SIDE_BUY",
        "type": "ORDER_TYPE_LIMIT",
        "quantity": "0.5",
        "price": "100",
    }


async def test_in_a_ban_cancels_and_limits_pass_and_streams_go_on() -> None:
    async with data_directory() as path:
        settings = Settings(data_dir=path, grpc_port=0, admin_port=0, drain_s=0.2, limits=STRICT)
        async with (
            running_rest_venue(path, settings=settings) as venue,
            httpx.AsyncClient(base_url=venue.url, headers=bearer(venue.alice)) as alice,
            alice.stream("GET", "/v1/executions:stream?afterSequence=0") as stream,
        ):
            (await alice.post("/v1/orders", json=_order("first"))).raise_for_status()
            scopes = []
            for number in range(40):
                answer = await alice.post("/v1/orders", json=_order(f"order-{number}"))
                if answer.is_error:
                    assert answer.status_code == 429
                    scopes.append(answer.json()["details"][0]["metadata"]["scope"])
                if scopes[-1:] == ["ban"]:
                    break
            assert scopes[-1:] == ["ban"]
            limits = (await alice.get("/v1/limits")).raise_for_status().json()["limits"]
            assert [int(one["resetMs"]) > 0 for one in limits if one["name"] == "ban"] == [True]
            (await alice.delete("/v1/orders/client/first")).raise_for_status()
            # The stream was opened before the ban, and tells of the cancel in it.
            async for line in stream.aiter_lines():
                event = json.loads(line[5:]) if line else {}
                types = [one["type"] for one in event.get("batch", {}).get("executions", ())]
                if "EXECUTION_TYPE_CANCELED" in types:
                    break
                assert "closing" not in event
            else:
                raise AssertionError("the stream has ended")
