import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { App } from "../stores/app.js";
import type { Terminal } from "../stores/terminal.js";
import type { Layout } from "./layout.js";

export const AppContext = createContext<App | undefined>(undefined);
export const TerminalContext = createContext<Terminal | undefined>(undefined);
export const LayoutContext = createContext<Layout | undefined>(undefined);

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("used outside of its provider");
  return value;
}

export const useApp = (): App => present(useContext(AppContext));
export const useTerminal = (): Terminal => present(useContext(TerminalContext));
export const useLayout = (): Layout => present(useContext(LayoutContext));
