import type { JSX } from "preact";
import type { Balance } from "../../../domain/types.js";
import { amount } from "../../../money/format.js";
import { useTerminal } from "../../context.js";
import { Empty, Loaded } from "../../parts/Notice.js";
import { Cell, Table } from "../../parts/Table.js";

const COLUMNS = {
  asset: { name: "Asset" },
  available: { name: "Available", figure: true },
  held: { name: "In orders", figure: true },
  total: { name: "Total", figure: true },
} as const;

/** What the account has of each asset: available and held make up the total. */
export function Balances(): JSX.Element {
  const { account } = useTerminal();
  const balances = account.balances.value;
  return (
    <Loaded loading={account.loading.value} what="your balances">
      {balances.length === 0 ? (
        <Empty title="No balances">What is deposited stands here.</Empty>
      ) : (
        <Table label="Balances" columns={Object.values(COLUMNS)}>
          {balances.map((balance) => (
            <BalanceRow key={balance.asset} balance={balance} />
          ))}
        </Table>
      )}
    </Loaded>
  );
}

function BalanceRow({ balance }: { readonly balance: Balance }): JSX.Element {
  const { asset, available, held, total } = balance;
  return (
    <tr data-asset={asset}>
      <Cell column={COLUMNS.asset} kind="lead">
        {asset}
      </Cell>
      <Cell column={COLUMNS.available} title={available}>
        {amount(available, asset)}
      </Cell>
      <Cell column={COLUMNS.held} title={held}>
        {amount(held, asset)}
      </Cell>
      <Cell column={COLUMNS.total} title={total}>
        {amount(total, asset)}
      </Cell>
    </tr>
  );
}
