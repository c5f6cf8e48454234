import type { JSX } from "preact";
import type { App } from "../stores/app.js";
import { AppContext } from "./context.js";
import { SignIn } from "./shell/SignIn.js";
import { Workspace } from "./shell/Workspace.js";

export function Root({ app }: { readonly app: App }): JSX.Element {
  const screen = app.screen.value;
  return (
    <AppContext.Provider value={app}>
      {screen.name === "sign-in" ? (
        <SignIn {...screen} />
      ) : (
        <Workspace terminal={screen.terminal} />
      )}
    </AppContext.Provider>
  );
}
