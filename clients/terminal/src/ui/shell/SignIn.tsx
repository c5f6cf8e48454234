/** The first page: with a key, or with one click as the demo account. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { readCredential, readKeyFile, type Algorithm, type KeyErrors } from "../../domain/keys.js";
import type { Screen } from "../../stores/app.js";
import { useApp } from "../context.js";
import { Choice } from "../parts/Choice.js";
import { Mark, Moon, Sun } from "../parts/icons.js";

const ALGORITHMS = [
  { value: "ed25519", label: "Ed25519" },
  { value: "hmac", label: "HMAC-SHA256" },
] as const;

type SignInScreen = Extract<Screen, { readonly name: "sign-in" }>;

export function SignIn({ busy, problem }: SignInScreen): JSX.Element {
  const app = useApp();
  const { config, preferences } = app;
  const dark = preferences.isDark;
  return (
    <main class="sign-in">
      <div class="sign-in-card">
        <header class="sign-in-head">
          <Mark />
          <h1>Tradewire Terminal</h1>
          <span class="environment">{config.environment}</span>
          <button
            type="button"
            class="icon-button"
            aria-label={dark ? "Use light colours" : "Use dark colours"}
            onClick={() => {
              preferences.toggleTheme();
            }}
          >
            {dark ? <Sun /> : <Moon />}
          </button>
        </header>
        {config.demo ? (
          <>
            <button type="button" class="button primary large" disabled={busy} onClick={() => void app.signIn({ kind: "demo" })}>
              {busy ? "Signing in…" : "Open the demo account"}
            </button>
            <p class="fine">No key needed: a sandbox account with invented money.</p>
            {problem?.kind === "demo" ? <Problem {...problem} /> : null}
            <p class="or">
              <span>or with an API key</span>
            </p>
          </>
        ) : null}
        <KeyForm busy={busy} problem={problem?.kind === "key" ? problem : undefined} />
      </div>
      <p class="fine sign-in-foot">
        <a href={config.docs}>API documentation</a> · {config.version}
      </p>
    </main>
  );
}

/** Stands beside the button that was pressed, so that it is seen on a phone too. */
function Problem({ text, said }: { readonly text: string; readonly said?: string | undefined }): JSX.Element {
  return (
    <div class="problem" role="alert">
      <p>{text}</p>
      {said === undefined ? null : <p class="said">The venue says: {said}</p>}
    </div>
  );
}

function KeyForm({ busy, problem }: { readonly busy: boolean; readonly problem: SignInScreen["problem"] | undefined }): JSX.Element {
  const app = useApp();
  const apiKey = useSignal("");
  const secret = useSignal("");
  const algorithm = useSignal<Algorithm>("ed25519");
  const errors = useSignal<KeyErrors>({});
  const shown = useSignal(false);

  const submit = (event: Event): void => {
    event.preventDefault();
    if (busy) return;
    const credential = readCredential({ apiKey: apiKey.peek(), algorithm: algorithm.peek(), secret: secret.peek() });
    if (!("kind" in credential)) {
      errors.value = credential;
      document.getElementById(credential.apiKey === undefined ? "secret" : "api-key")?.focus();
      return;
    }
    errors.value = {};
    shown.value = false;
    void app.signIn(credential).then((signedIn) => {
      if (signedIn) secret.value = "";
    });
  };
  const take = (text: string): void => {
    const file = readKeyFile(text);
    secret.value = file?.secret ?? text;
    if (file !== undefined) {
      apiKey.value = file.apiKey;
      algorithm.value = file.algorithm;
    }
  };
  const { apiKey: keyError, secret: secretError } = errors.value;
  const label = algorithm.value === "hmac" ? "Secret" : "Private key";
  const turn = shown.value ? "Hide" : "Show";
  return (
    <form class="key-form" noValidate onSubmit={submit} aria-label="Sign in with an API key" autocomplete="off">
      <div class="field" data-invalid={keyError !== undefined}>
        <label for="api-key">Key id</label>
        <div class="input-row">
          <input
            id="api-key"
            type="text"
            class="mono"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            placeholder="tw_…"
            value={apiKey}
            aria-invalid={keyError !== undefined}
            aria-describedby="api-key-note"
            onInput={(event) => {
              apiKey.value = event.currentTarget.value;
            }}
          />
        </div>
        <p id="api-key-note" class="field-note bad">
          {keyError ?? ""}
        </p>
      </div>
      <Choice
        name="algorithm"
        legend="Kind of key"
        kind="types"
        options={ALGORITHMS}
        value={algorithm.value}
        choose={(value) => {
          algorithm.value = value;
        }}
      />
      <div class="field" data-invalid={secretError !== undefined}>
        <div class="label-row">
          <label for="secret">{label}</label>
          <button
            type="button"
            class="text-button"
            aria-label={`${turn} ${label.toLowerCase()}`}
            aria-controls="secret"
            onClick={() => {
              shown.value = !shown.peek();
            }}
          >
            {turn}
          </button>
        </div>
        {/* A field for passwords would lose the lines of a PEM. */}
        <textarea
          id="secret"
          class={shown.value ? "mono" : "mono masked"}
          rows={3}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder={algorithm.value === "hmac" ? "The secret shown when the key was made" : "Base64, hexadecimal or PEM"}
          value={secret}
          aria-invalid={secretError !== undefined}
          aria-describedby="secret-note secret-kept"
          onInput={(event) => {
            take(event.currentTarget.value);
          }}
        />
        <p id="secret-note" class="field-note bad">
          {secretError ?? ""}
        </p>
      </div>
      <p id="secret-kept" class="fine">
        Your key stays in this page's memory: it signs here, is never sent and never stored, and is gone when you reload
        or sign out. A key file pasted above fills in everything.
      </p>
      {problem === undefined ? null : <Problem {...problem} />}
      {/* Not disabled while it is busy, which would take the focus away. */}
      <button type="submit" class="button large" aria-disabled={busy}>
        {busy ? "Signing in…" : "Sign in"}
      </button>
    </form>
  );
}
