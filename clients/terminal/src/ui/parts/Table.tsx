/** A table that becomes a list of cards where there is no room for columns: each cell carries its column's name. */
import type { ComponentChildren, JSX } from "preact";

export interface Column {
  readonly name: string;
  /** Numbers stand at the right. */
  readonly figure?: boolean;
  /** Left out where it is narrow. */
  readonly minor?: boolean;
  /** Has no visible heading. */
  readonly silent?: boolean;
}

export function Table({ label, columns, children }: { readonly label: string; readonly columns: readonly Column[]; readonly children: ComponentChildren }): JSX.Element {
  return (
    <table class="table" aria-label={label}>
      <thead>
        <tr>
          {columns.map(({ name, figure, minor, silent }) => (
            <th key={name} scope="col" class={`${figure ? "right" : ""} ${minor ? "minor" : ""}`}>
              {silent ? <span class="unseen">{name}</span> : name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}

interface CellProps {
  readonly column: Column;
  readonly title?: string | undefined;
  readonly kind?: string;
  readonly children: ComponentChildren;
}

export function Cell({ column, title, kind = "", children }: CellProps): JSX.Element {
  const { name, figure, minor, silent } = column;
  return (
    <td class={`${figure ? "right figure" : ""} ${minor ? "minor" : ""} ${kind}`} data-name={silent ? undefined : name} title={title}>
      {children}
    </td>
  );
}
