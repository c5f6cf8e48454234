// Starts the explorer with everything switched off that would speak to the outside.
"use strict";

const dark = () => window.tradewirePortal.isDark();
const reference = Scalar.createApiReference("#explorer", {
  url: "/docs/openapi.json",
  theme: "none",
  layout: "modern",
  withDefaultFonts: false,
  telemetry: false,
  proxyUrl: "",
  hideClientButton: true,
  hideDarkModeToggle: true,
  forceDarkModeState: dark() ? "dark" : "light",
  agent: { disabled: true },
  mcp: { disabled: true },
  showDeveloperTools: "never",
  defaultHttpClient: { targetKey: "shell", clientKey: "curl" },
});
document.addEventListener("tradewire-theme", () => location.reload());
