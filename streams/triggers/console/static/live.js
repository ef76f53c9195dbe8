// Keeps the part of a page that changes up to date: it loads the page again and changes what differs, in place, so that
// what is open, focused or selected stays so. Without scripts, the links and a reload do the same.
"use strict";

const isSame = (one, other) =>
  one.nodeType === other.nodeType && one.nodeName === other.nodeName && one.id === other.id;

const adoptAttributes = (old, fresh) => {
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value && name !== "open") old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
};

const adopt = (old, fresh) => {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE || old === document.activeElement && "value" in old) return;
  adoptAttributes(old, fresh);
  const [before, after] = [[...old.childNodes], [...fresh.childNodes]];
  after.forEach((child, position) => {
    const present = before[position];
    if (!present) old.append(child);
    else if (isSame(present, child)) adopt(present, child);
    else present.replaceWith(child);
  });
  before.slice(after.length).forEach((child) => child.remove());
};

const load = async (address) => {
  const response = await fetch(address);
  if (response.redirected) {
    location.reload(); // somebody has to log in again
    return null;
  }
  if (!response.ok) throw new Error(`the console answers ${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
};

// A search that has found nothing yet goes on by itself, and shows how far it has come.
const results = document.getElementById("results");

const isVisible = () =>
  document.hidden
    ? new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }))
    : Promise.resolve();

const goOn = async () => {
  for (let next; (next = results.querySelector("a[data-follow]")); ) {
    next.textContent = "Searching…";
    await isVisible();
    try {
      const fresh = (await load(next.href))?.getElementById("results");
      if (!fresh) return;
      history.replaceState(null, "", next.href);
      adopt(results, fresh);
    } catch (error) {
      next.textContent = `Go on (${error.message})`;
      return;
    }
  }
};

if (results) goOn();

const live = document.getElementById("live");

if (live) {
  const note = document.createElement("p");
  note.className = "finding warning stale";
  note.setAttribute("role", "status");
  document.querySelectorAll("[data-live]").forEach((element) => { element.hidden = false; });

  const refresh = async () => {
    if (document.hidden) return wait();
    try {
      const page = await load(location.href);
      if (!page) return;
      const fresh = page.getElementById("live");
      if (fresh) adopt(live, fresh);
      note.remove();
    } catch (error) {
      note.textContent = `This page is not up to date: ${error.message}.`;
      live.before(note);
    }
    return wait();
  };

  const wait = () => {
    const seconds = Number(live.dataset.refresh);
    if (seconds) setTimeout(refresh, 1000 * seconds);
  };

  wait();
}
