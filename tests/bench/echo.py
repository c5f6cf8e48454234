"""The peer: a bare grpc.aio server whose method returns a prepared message."""

import asyncio
import sys

import grpc
import grpc.aio
import uvloop

PATH = "/bench.Echo/Place"


async def serve(response: bytes) -> None:
    """Serve until standard input ends; print the port first."""

    async def place(request: bytes, context: object) -> bytes:
        return response

    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Place": grpc.unary_unary_rpc_method_handler(place)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    uvloop.run(serve(bytes.fromhex(sys.argv[1])))
