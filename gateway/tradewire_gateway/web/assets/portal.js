// What makes reading easier. Every page is complete without it.
"use strict";

(() => {
  const root = document.documentElement;
  const kept = {
    get(name) {
      try {
        return localStorage.getItem(name);
      } catch {
        return null;
      }
    },
    set(name, value) {
      try {
        localStorage.setItem(name, value);
      } catch {
        // A browser that keeps nothing still shows everything.
      }
    },
  };

  // Before anything is painted.
  const theme = kept.get("tradewire-theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;

  const isDark = () =>
    (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  function switchTheme() {
    root.dataset.theme = isDark() ? "light" : "dark";
    kept.set("tradewire-theme", root.dataset.theme);
    document.dispatchEvent(new CustomEvent("tradewire-theme", { detail: { dark: isDark() } }));
  }

  function addCopyButtons() {
    if (!navigator.clipboard) return;
    for (const block of document.querySelectorAll(".code")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(block.querySelector("code").textContent);
        button.textContent = "Copied";
        setTimeout(() => (button.textContent = "Copy"), 1500);
      });
      block.append(button);
    }
  }

  // Who reads Python on one page reads it on the next one, too.
  function rememberTabs() {
    const label = (input) => document.querySelector(`label[for="${input.id}"]`).textContent;
    const inputs = [...document.querySelectorAll(".tabs > input")];
    const choose = (name) => {
      for (const input of inputs) if (label(input) === name) input.checked = true;
    };
    const language = kept.get("tradewire-language");
    if (language) choose(language);
    for (const input of inputs) {
      input.addEventListener("change", () => {
        kept.set("tradewire-language", label(input));
        choose(label(input));
      });
    }
  }

  function markWhereOneIs() {
    const links = new Map(
      [...document.querySelectorAll(".contents a")].map((link) => [decodeURIComponent(link.hash.slice(1)), link]),
    );
    if (!links.size) return;
    const seen = new Set();
    const observer = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) entry.isIntersecting ? seen.add(entry.target.id) : seen.delete(entry.target.id);
        let first = true;
        for (const [id, link] of links) {
          const here = first && seen.has(id);
          if (here) first = false;
          link.classList.toggle("here", here);
        }
      },
      { rootMargin: "-72px 0px -55% 0px" },
    );
    for (const id of links.keys()) {
      const place = document.getElementById(id);
      if (place) observer.observe(place);
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.hidden = false;
      button.addEventListener("click", switchTheme);
    }
    addCopyButtons();
    rememberTabs();
    markWhereOneIs();
    document.querySelector("nav.pages [aria-current]")?.scrollIntoView({ block: "nearest" });
  });

  window.tradewirePortal = { isDark };
})();
