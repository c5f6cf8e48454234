"""The TypeScript client as a package: its rules, its own tests, what is published, its page."""

import hashlib
import json
import re
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.support.typescript import (
    EXAMPLES,
    FOLDER,
    bundle,
    needs_client,
    needs_node,
    run,
    run_npm,
)

pytestmark = needs_client

README = FOLDER / "README.md"
PROGRAMS = {path.stem: path.read_text() for path in sorted(EXAMPLES.glob("*.ts"))}
DEPENDENCIES = ("@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-web", "ws")


@pytest.mark.timeout(240)
def test_it_compiles_strictly_and_keeps_its_rules() -> None:
    # It takes a while, and follows from the files alone: what has passed is not asked again.
    passed = FOLDER / "node_modules" / ".cache" / "tradewire-checked"
    files = _digest()
    if not passed.is_file() or passed.read_text() != files:
        run_npm("run", "check")
        passed.parent.mkdir(exist_ok=True)
        passed.write_text(files)


def _digest() -> str:
    """Return what all files together are that the check looks at."""
    found = hashlib.sha256()
    for pattern in ("*.json", "*.js", "*.ts", "src/**/*.ts", "tests/**/*.ts", "examples/**/*.ts"):
        for path in sorted(FOLDER.glob(pattern)):
            found.update(f"{path.relative_to(FOLDER)}\0".encode() + path.read_bytes())
    return found.hexdigest()


@pytest.mark.timeout(240)
def test_its_own_tests_pass() -> None:
    shown = run_npm("test", "--", "--reporter=json")
    report = json.loads(shown[shown.index("{") :])
    assert report["success"] is True
    assert report["numPassedTests"] > 150
    assert report["numPendingTests"] == 0


def test_its_page_shows_every_example_as_it_is() -> None:
    shown = re.findall(r"^```ts\n(.*?)^```$", README.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert sorted(shown) == sorted(PROGRAMS.values())


def test_nothing_names_where_packages_came_from() -> None:
    lock = (FOLDER / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert "registry" not in lock
    package = json.loads((FOLDER / "package.json").read_text())
    assert "publishConfig" not in package
    for versions in (package["dependencies"], package["devDependencies"]):
        assert all(re.fullmatch(r"[0-9.]+", version) for version in versions.values())


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project that has installed the packed client, and what it depends on."""
    folder = tmp_path_factory.mktemp("published")
    run_npm("pack", "--ignore-scripts", "--pack-destination", str(folder))
    (archive,) = folder.glob("*.tgz")
    modules = folder / "node_modules"
    modules.mkdir()
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    (folder / "package").rename(modules / "tradewire-client")
    for name in DEPENDENCIES:
        (modules / name).parent.mkdir(exist_ok=True)
        (modules / name).symlink_to(FOLDER / "node_modules" / name)
    (folder / "package.json").write_text('{"type": "module", "private": true}')
    return folder


def test_what_is_published_is_the_client_and_nothing_else(published: Path) -> None:
    client = published / "node_modules" / "tradewire-client"
    files = sorted(path.relative_to(client) for path in client.rglob("*") if path.is_file())
    tops = {path.parts[0] for path in files}
    assert tops == {"CHANGELOG.md", "LICENSE", "README.md", "dist", "package.json"}
    built = [path for path in files if path.parts[0] == "dist"]
    assert {"".join(path.suffixes) for path in built} == {".js", ".d.ts"}
    sources = {path.relative_to(FOLDER / "src") for path in (FOLDER / "src").rglob("*.ts")}
    made = {path.relative_to("dist").with_suffix(".ts") for path in built if path.suffix == ".js"}
    assert sources <= made
    package = json.loads((client / "package.json").read_text())
    assert (package["type"], package["license"], package["sideEffects"]) == (
        "module",
        "Apache-2.0",
        False,
    )
    assert package["engines"] == {"node": ">=20"}
    assert set(package["dependencies"]) == set(DEPENDENCIES)
    for path in files:
        text = (client / path).read_text()
        assert str(FOLDER.parents[1]) not in text
        assert "registry." not in text


def test_what_is_published_can_be_imported(published: Path) -> None:
    (published / "use.js").write_text(
        """
        import { Client, Decimal, HmacKey } from "tradewire-client";
        import { OrderService, METHODS, REASONS, RULES } from "tradewire-client/contract";
        const client = new Client({
          url: "http://127.0.0.1:9",
          credentials: await HmacKey.fromSecret("key", "tws_x"),
          retry: { attempts: 1 },
        });
        const error = await client.orders.get("1").catch((error) => error);
        const unreached = await client.connection.connect(300).catch((error) => error);
        await client.close();
        console.log(JSON.stringify({
          decimal: Decimal.from("0.1").plus("0.2"),
          rpc: METHODS[`${OrderService.typeName}/PlaceOrder`].jsonRpc,
          advice: REASONS.PRICE_OFF_TICK.advice,
          pattern: RULES["tradewire.v1.PlaceOrderRequest"].price.pattern,
          errors: [error.name, unreached.name],
        }));
        """
    )
    assert json.loads(run(["node", "use.js"], published)) == {
        "decimal": "0.3",
        "rpc": "orders.place",
        "advice": "Round the price to the instrument's tick size.",
        "pattern": "^[0-9]{1,18}([.][0-9]{1,18})?$",
        "errors": ["Unavailable", "Unavailable"],
    }


def test_what_is_published_has_types(published: Path) -> None:
    (published / "typed.ts").write_text(
        """
        import { Client, type ReasonName, type NewOrder } from "tradewire-client";
        import { PlaceOrderRequestSchema } from "tradewire-client/contract";
        const order: NewOrder = { symbol: "BTC-USD", side: "buy", type: "limit", price: "1" };
        // @ts-expect-error a number is no price
        const wrong: NewOrder = { symbol: "BTC-USD", side: "buy", type: "limit", price: 1.5 };
        // @ts-expect-error there is no such side
        const sideways: NewOrder = { symbol: "BTC-USD", side: "long", type: "limit" };
        // @ts-expect-error there is no such reason
        const reason: ReasonName = "NO_SUCH_REASON";
        export { Client, PlaceOrderRequestSchema, order, reason, sideways, wrong };
        """
    )
    tsc = str(FOLDER / "node_modules" / ".bin" / "tsc")
    options = ["--strict", "--noEmit", "--target", "es2022", "--lib", "es2023,dom"]
    # The declarations of the package and of what it depends on are looked at, too.
    run([tsc, *options, "--module", "nodenext", "typed.ts"], published)


@needs_node
def test_a_page_gets_nothing_of_node(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "page.ts", tmp_path)
    text = bundle(tmp_path / "page.ts", tmp_path / "page.js")
    assert "node:" not in text
    assert "require(" not in text
    assert not re.search(r"\beval\(|new Function\(", text)
    # The contract's descriptors included; zipped it is a third.
    assert len(text) < 600_000
