"""Writes everything that follows from the contract in ``proto/tradewire``: ``make gen``.

    proto/gen/python/tradewire/   messages, gRPC stubs and their types, for server and gateways
    proto/gen/python/buf/         the validation rules as a module, which the messages import
    proto/gen/tradewire.binpb     the descriptor set, for Envoy, buf and the document generators
    proto/gen/openapi.json        the OpenAPI document of the REST edge
    proto/gen/asyncapi.json       the AsyncAPI document of the WebSocket edge
    proto/gen/tradewire-fix44.xml the FIX data dictionary, in the format of QuickFIX
    proto/gen/rules-of-engagement.md
                                  what FIX clients must know, table by table
    clients/python/tradewire_client/_gen/
                                  dataclasses and typed grpc.aio stubs, for the Python client

Rules of this file:

- Nothing is fetched. ``validate.proto`` is in no wheel, but its descriptor is in protovalidate's;
  the files of google.api and google.rpc come with googleapis-common-protos.
- Equal input gives equal bytes, so ``--check`` compares and does not guess from dates.
- Output is made in a scratch folder and only then copied, file by file and only where it differs:
  a contract with an error in it leaves the committed code as it was.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf import descriptor_pb2
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
BIN = Path(sys.executable).parent
SITE_PACKAGES = Path(descriptor_pb2.__file__).parents[2]

IMAGE = Path("proto/gen/tradewire.binpb")
OPENAPI = Path("proto/gen/openapi.json")
ASYNCAPI = Path("proto/gen/asyncapi.json")
PYTHON = Path("proto/gen/python")
CLIENT = Path("clients/python/tradewire_client/_gen")
# These folders hold nothing but output: what a run does not make is deleted from them.
OWNED = (IMAGE.parent, CLIENT)

VALIDATE = "buf/validate/validate.proto"
# Not imported by the contract, but needed by everyone who reads its errors.
ERROR_DETAILS = "google/rpc/error_details.proto"
# Imports that serve annotations only; messages for clients do without them.
ANNOTATION_IMPORTS = (VALIDATE, "google/api/", "google/protobuf/descriptor.proto")

# Field numbers of descriptor.proto, from which the paths of comments are made.
_SERVICE, _METHOD = 6, 2


def main() -> int:
    """Generate, then write or compare; return the exit code."""
    parser = argparse.ArgumentParser(description="Generate all that follows from the contract.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if stale")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tradewire-gen-") as scratch:
        try:
            generate(Path(scratch))
        except subprocess.CalledProcessError as error:
            # The compiler has already said what is wrong and where.
            return int(error.returncode) or 1
        stale = _differences(Path(scratch))
        if arguments.check:
            return _report(stale)
        for path in stale:
            _apply(Path(scratch, path), ROOT / path)
    return 0


def generate(out: Path) -> None:
    """Write all output below ``out``, laid out as in the repository."""
    contract = sorted(
        path.relative_to(PROTO).as_posix() for path in PROTO.glob("tradewire/**/*.proto")
    )
    rules = out / "validate.binpb"
    rules.write_bytes(_validation_rules())
    source = [f"-I{PROTO}", f"-I{SITE_PACKAGES}", f"--descriptor_set_in={rules}"]

    (out / IMAGE).parent.mkdir(parents=True)
    image_options = [
        f"--descriptor_set_out={out / IMAGE}",
        "--include_imports",
        "--include_source_info",
    ]
    _protoc(out, *source, *image_options, *contract, ERROR_DETAILS)
    image = _read_image(out / IMAGE)
    _generate_python(out, source, contract, image)
    _generate_client(out, contract, image)
    _run(out, "tradewire_contract.openapi", out / OPENAPI)
    _run(out, "tradewire_contract.asyncapi", out / ASYNCAPI)
    _run(out, "tradewire_contract.fix", (out / IMAGE).parent)


def _run(out: Path, module: str, target: Path) -> None:
    """Let a module write documents, in a process that imports the code that was just generated.

    Here it would find the committed one, and the annotations of the contract must stay unknown.
    """
    path = os.pathsep.join([str(out / PYTHON), str(PROTO)])
    subprocess.run(
        [sys.executable, "-m", module, str(out / IMAGE), str(target)],
        env=os.environ | {"PYTHONPATH": path},
        check=True,
    )


def _generate_python(
    out: Path, source: list[str], contract: list[str], image: descriptor_pb2.FileDescriptorSet
) -> None:
    """Write messages for all files and stubs for those with a service, each with its types."""
    python = out / PYTHON
    python.mkdir(parents=True)
    _protoc(
        out, *source, f"--python_out={python}", f"--mypy_out=quiet:{python}", *contract, VALIDATE
    )
    services = [file.name for file in image.file if file.service and file.name in contract]
    if services:
        # The server and everything that calls it are asynchronous: types for blocking stubs would
        # only let mistakes pass.
        grpc = [f"--grpc_python_out={python}", f"--mypy_grpc_out=quiet,only_async:{python}"]
        _protoc(out, *source, *grpc, *services)
    for package in sorted({Path(name).parent for name in contract}):
        for folder in (package, *package.parents[:-1]):
            title = ".".join(folder.parts)
            (python / folder / "__init__.py").write_text(
                f'"""Generated from the contract, package {title}. Do not edit."""\n'
            )
    (python / "tradewire" / "py.typed").touch()
    # `buf` stays a namespace package: others may ship generated code below that name, too.
    (python / "buf" / "validate" / "py.typed").touch()


def _generate_client(
    out: Path, contract: list[str], image: descriptor_pb2.FileDescriptorSet
) -> None:
    """Write the Python client's messages and stubs, from a contract without annotations.

    With them the client would carry and import some five thousand lines of google.api,
    google.protobuf and buf.validate that it never uses.
    """
    client = out / CLIENT
    client.mkdir(parents=True)
    plain = out / "plain.binpb"
    plain.write_bytes(_without_annotations(image).SerializeToString(deterministic=True))
    _protoc(
        out,
        f"--descriptor_set_in={plain}",
        f"--python_betterproto2_out={client}",
        # Its asynchronous stubs need grpclib; `stubs.py` is written for grpc.aio instead.
        "--python_betterproto2_opt=client_generation=none",
        *contract,
        ERROR_DETAILS,
    )
    (client / "__init__.py").write_text('"""Generated from the contract. Do not edit."""\n')
    for file in sorted(client.rglob("__init__.py")):
        if not file.read_text():
            file.write_text('"""Holds generated packages. Do not edit."""\n')
    files = [file for file in image.file if file.service and file.name in contract]
    (client / "stubs.py").write_text(_client_stubs(files))


def _protoc(out: Path, *arguments: str) -> None:
    """Run the protobuf compiler with the environment's plugins, away from the user's settings."""
    # betterproto2's compiler formats with ruff, which would read the nearest configuration.
    (out / "ruff.toml").write_text("line-length = 100\n")
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    command = [sys.executable, "-m", "grpc_tools.protoc", *arguments]
    result = subprocess.run(
        command, cwd=out, env=environment, stderr=subprocess.PIPE, text=True, check=False
    )
    notes = [line for line in result.stderr.splitlines() if not _expected(line)]
    print("\n".join(notes), end="\n" if notes else "", file=sys.stderr)
    result.check_returncode()


def _expected(note: str) -> bool:
    """Tell the notes that every run makes from those that mean something.

    betterproto2's compiler names each file it writes, and imports that only serve annotations look
    unused once those are gone. In the contract itself `buf lint` finds unused imports.
    """
    return note.startswith("Writing ") or note.endswith("is unused.")


def _validation_rules() -> bytes:
    """Return a descriptor set with ``validate.proto`` alone.

    Files of google.protobuf in the same set, or a file without source information, make
    betterproto2's compiler fail.
    """
    rules = descriptor_pb2.FileDescriptorSet()
    file = rules.file.add()
    file.ParseFromString(validate_pb._DESC.proto.to_binary())
    file.source_code_info.SetInParent()
    return rules.SerializeToString(deterministic=True)


def _read_image(path: Path) -> descriptor_pb2.FileDescriptorSet:
    return descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())


def _without_annotations(
    image: descriptor_pb2.FileDescriptorSet,
) -> descriptor_pb2.FileDescriptorSet:
    """Return the contract's messages, enums and services without custom options."""
    plain = descriptor_pb2.FileDescriptorSet()
    for file in image.file:
        if file.name.startswith(ANNOTATION_IMPORTS):
            continue
        copy = plain.file.add()
        copy.CopyFrom(file)
        # No extension is registered in this process, so custom options are unknown fields.
        copy.DiscardUnknownFields()
        copy.ClearField("extension")
        copy.ClearField("dependency")
        copy.dependency.extend(
            name for name in file.dependency if not name.startswith(ANNOTATION_IMPORTS)
        )
    return plain


def _client_stubs(files: Sequence[descriptor_pb2.FileDescriptorProto]) -> str:
    """Return a module with one grpc.aio stub class per service, over the client's messages."""
    lines = [
        '"""Typed grpc.aio stubs over the generated messages. Do not edit."""',
        "",
        "from __future__ import annotations",
        "",
        "import grpc.aio",
        "",
        "from .tradewire import v1",
    ]
    for file in files:
        for index, service in enumerate(file.service):
            comments = _comments(file, index)
            lines += ["", "", f"class {service.name}Stub:", f'    """{comments[()]}"""', ""]
            lines.append("    def __init__(self, channel: grpc.aio.Channel) -> None:")
            for position, method in enumerate(service.method):
                lines += _client_method(f"{file.package}.{service.name}", method)
                lines.append(f'        """{comments[(position,)]}"""')
    return "\n".join(lines) + "\n"


def _client_method(service: str, method: descriptor_pb2.MethodDescriptorProto) -> list[str]:
    """Return the lines that make one method's multi-callable."""
    name = "".join(f"_{c.lower()}" if c.isupper() else c for c in method.name).lstrip("_")
    inbound = "stream" if method.client_streaming else "unary"
    outbound = "stream" if method.server_streaming else "unary"
    request = f"v1.{method.input_type.rpartition('.')[2]}"
    response = f"v1.{method.output_type.rpartition('.')[2]}"
    kind = f"grpc.aio.{inbound.title()}{outbound.title()}MultiCallable"
    return [
        f"        self.{name}: {kind}[",
        f"            {request}, {response}",
        f"        ] = channel.{inbound}_{outbound}(",
        f'            "/{service}/{method.name}",',
        f"            request_serializer={request}.SerializeToString,",
        f"            response_deserializer={response}.FromString,",
        "        )",
    ]


def _comments(file: descriptor_pb2.FileDescriptorProto, service: int) -> dict[tuple[int, ...], str]:
    """Return the comment of a service under ``()`` and of its n-th method under ``(n,)``."""
    comments = {}
    for location in file.source_code_info.location:
        path = tuple(location.path)
        if path[:2] != (_SERVICE, service) or path[2:3] not in ((), (_METHOD,)) or len(path) > 4:
            continue
        comments[path[3:]] = " ".join(location.leading_comments.split())
    return comments


def _differences(out: Path) -> list[Path]:
    """Return the files that are made but differ or are missing, or are kept but no longer made."""
    made = set(_owned_files(out))
    kept = set(_owned_files(ROOT))
    return sorted(
        path
        for path in made | kept
        if path not in made
        or path not in kept
        or Path(out, path).read_bytes() != (ROOT / path).read_bytes()
    )


def _owned_files(base: Path) -> Iterator[Path]:
    for folder in OWNED:
        for path in (base / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(base)


def _report(stale: Sequence[Path]) -> int:
    for path in stale:
        print(f"stale: {path}", file=sys.stderr)
    if stale:
        print("Run `make gen` and commit the result.", file=sys.stderr)
    return 1 if stale else 0


def _apply(made: Path, kept: Path) -> None:
    """Make ``kept`` equal to ``made``, which may mean to delete it."""
    if made.exists():
        _replace(kept, made.read_bytes())
    else:
        kept.unlink()


def _replace(path: Path, content: bytes) -> None:
    """Write ``content`` so that a reader sees the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    fresh.replace(path)


if __name__ == "__main__":
    sys.exit(main())
