"use strict";
// Keeps a page's figures fresh. Without it the page is complete, and is as old as its address was asked.

// What the reader opened stays open, though the server sends it closed.
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) =>
  !(name === "open" && element.localName === "details");

const stale = () => document.getElementById("stale");
const say = (text) => { if (stale()) stale().textContent = text; };

document.addEventListener("htmx:beforeRequest", (event) => {
  // Nobody looks: the next turn will do.
  if (document.hidden) event.preventDefault();
});
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  // Signed out meanwhile: the answer is another page, which is shown as one.
  if (new URL(xhr.responseURL).pathname !== location.pathname) {
    event.detail.shouldSwap = false;
    location.reload();
  }
});
document.addEventListener("htmx:afterRequest", (event) => {
  say(event.detail.successful ? "" : "Cannot be refreshed at the moment; figures are as of then.");
});
