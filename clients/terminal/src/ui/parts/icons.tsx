/** Small drawings; they say nothing that a text beside them does not. */
import type { ComponentChildren, JSX } from "preact";

function Icon({ children }: { readonly children: ComponentChildren }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const Mark = (): JSX.Element => (
  <svg class="mark" viewBox="0 0 32 32" width="24" height="24" aria-hidden="true" focusable="false">
    <rect width="32" height="32" rx="7" fill="#0b6b5d" />
    <path d="M6 21 L13 21 L13 11 L20 11 L20 17 L26 17" fill="none" stroke="#fff" stroke-width="3" stroke-linejoin="round" stroke-linecap="round" />
  </svg>
);
export const Chevron = (): JSX.Element => <Icon><path d="M4 6l4 4 4-4" /></Icon>;
export const Close = (): JSX.Element => <Icon><path d="M4 4l8 8M12 4l-8 8" /></Icon>;
export const Sun = (): JSX.Element => (
  <Icon>
    <circle cx="8" cy="8" r="3" />
    <path d="M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1" />
  </Icon>
);
export const Moon = (): JSX.Element => <Icon><path d="M13.5 9.6A5.8 5.8 0 0 1 6.4 2.5a5.8 5.8 0 1 0 7.1 7.1z" /></Icon>;
export const Help = (): JSX.Element => (
  <Icon>
    <rect x="1.5" y="4" width="13" height="8.5" rx="1.5" />
    <path d="M4 7h.01M6.7 7h.01M9.3 7h.01M12 7h.01M5 10h6" />
  </Icon>
);
export const Leave = (): JSX.Element => <Icon><path d="M6 2.5H3.5a1 1 0 0 0-1 1v9a1 1 0 0 0 1 1H6M10.5 11l3-3-3-3M13 8H6" /></Icon>;
export const Pencil = (): JSX.Element => <Icon><path d="M10.8 2.7l2.5 2.5L5.5 13H3v-2.5z" /></Icon>;
export const Check = (): JSX.Element => <Icon><path d="M3 8.5l3.2 3.2L13 4.8" /></Icon>;
export const ChartIcon = (): JSX.Element => <Icon><path d="M4 3v10M4 5h0M8 2v11M12 5v9M2.8 5.5h2.4v5H2.8zM6.8 4h2.4v4.5H6.8zM10.8 7.5h2.4v4h-2.4z" /></Icon>;
export const BookIcon = (): JSX.Element => <Icon><path d="M2 3.5h12M2 6.5h8M2 9.5h6M2 12.5h10" /></Icon>;
export const TradeIcon = (): JSX.Element => <Icon><path d="M5 13V3M5 3L2.5 5.5M5 3l2.5 2.5M11 3v10M11 13l-2.5-2.5M11 13l2.5-2.5" /></Icon>;
export const OrdersIcon = (): JSX.Element => <Icon><path d="M3 2.5h10v11H3zM5.5 6h5M5.5 8.5h5M5.5 11h3" /></Icon>;

/** Says a direction beside a colour. */
export function Arrow({ up }: { readonly up: boolean }): JSX.Element {
  return (
    <svg class="arrow" viewBox="0 0 8 8" width="8" height="8" aria-hidden="true" focusable="false">
      <path fill="currentColor" d={up ? "M4 1l3.5 6h-7z" : "M4 7L.5 1h7z"} />
    </svg>
  );
}
