/** The first page: with a key, or with one click as the demo account. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { readCredential, readKeyFile, type Algorithm, type KeyErrors } from "../../domain/keys.js";
import { useApp } from "../context.js";
import { Choice } from "../parts/Choice.js";
import { Mark, Moon, Sun } from "../parts/icons.js";

const ALGORITHMS = [
  { value: "ed25519", label: "Ed25519" },
  { value: "hmac", label: "HMAC-SHA256" },
] as const;

export function SignIn({ busy, problem }: { readonly busy: boolean; readonly problem: string }): JSX.Element {
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
        {problem === "" ? null : (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        {config.demo ? (
          <>
            <button type="button" class="button primary large" disabled={busy} onClick={() => void app.signIn({ kind: "demo" })}>
              {busy ? "Signing in…" : "Open the demo account"}
            </button>
            <p class="fine">No key needed: a sandbox account with invented money.</p>
            <p class="or">
              <span>or with an API key</span>
            </p>
          </>
        ) : null}
        <KeyForm busy={busy} />
      </div>
      <p class="fine sign-in-foot">
        <a href={config.docs}>API documentation</a> · {config.version}
      </p>
    </main>
  );
}

function KeyForm({ busy }: { readonly busy: boolean }): JSX.Element {
  const app = useApp();
  const apiKey = useSignal("");
  const secret = useSignal("");
  const algorithm = useSignal<Algorithm>("ed25519");
  const errors = useSignal<KeyErrors>({});

  const submit = (event: Event): void => {
    event.preventDefault();
    const credential = readCredential({ apiKey: apiKey.peek(), algorithm: algorithm.peek(), secret: secret.peek() });
    if (!("kind" in credential)) {
      errors.value = credential;
      document.getElementById(credential.apiKey === undefined ? "secret" : "api-key")?.focus();
      return;
    }
    errors.value = {};
    void app.signIn(credential);
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
        <label for="secret">{label}</label>
        <textarea
          id="secret"
          class="mono"
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
      <button type="submit" class="button large" disabled={busy}>
        {busy ? "Signing in…" : "Sign in"}
      </button>
    </form>
  );
}
