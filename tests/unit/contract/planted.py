"""Small contracts made for a test: what the real one does not hold."""

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, timestamp_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet
from tradewire.v1 import options_pb2
from tradewire_contract import Route
from tradewire_contract.methods import read_method
from tradewire_contract.rest import read_routes

PACKAGE = "tradewire.v1"
SERVICE = f"{PACKAGE}.PlantedService"


class Planted:
    """A service with one method `Act`, whose request and response a test fills."""

    def __init__(self) -> None:
        self.file = descriptor_pb2.FileDescriptorProto(
            name="tradewire/v1/planted.proto", package=PACKAGE, syntax="proto3"
        )
        self.file.dependency.append(timestamp_pb2.DESCRIPTOR.name)
        self.request = self.file.message_type.add(name="ActRequest")
        self.response = self.file.message_type.add(name="ActResponse")
        service = self.file.service.add(name="PlantedService")
        self.method = service.method.add(
            name="Act", input_type=f".{PACKAGE}.ActRequest", output_type=f".{PACKAGE}.ActResponse"
        )
        self.rule = self.method.options.Extensions[options_pb2.method]
        self.rule.scope = options_pb2.SCOPE_READ
        self.rule.weight = 1
        self.rule.json_rpc = "planted.act"
        self.http = self.method.options.Extensions[annotations_pb2.http]
        self.http.post = "/v1/acts"
        self.http.body = "*"

    def add_field(
        self, name: str, kind: "FieldDescriptorProto.Type.ValueType", *, type_name: str = ""
    ) -> FieldDescriptorProto:
        """Add a field to the request and return it, for its options."""
        number = len(self.request.field) + 1
        label = FieldDescriptorProto.LABEL_OPTIONAL
        field = self.request.field.add(name=name, number=number, type=kind, label=label)
        if type_name:
            field.type_name = type_name
        return field

    def image(self) -> FileDescriptorSet:
        """Return the descriptor set, without comments."""
        return FileDescriptorSet(file=[self.file])

    def routes(self) -> list[Route]:
        """Return the REST paths of the method."""
        pool = descriptor_pool.DescriptorPool()
        pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
        pool.Add(self.file)
        method = pool.FindServiceByName(SERVICE).methods[0]
        return list(read_routes(read_method(SERVICE, method), method))
