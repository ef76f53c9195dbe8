// Makes the slider work: it loads the page for another event and replaces the lower part of this page.
// Without scripts, the links lead to the same pages.
"use strict";

// On a narrow screen, the names of the pages are in a row that scrolls; it begins where this page is.
document.querySelector('.bar nav [aria-current="page"]')?.scrollIntoView({ block: "nearest", inline: "center" });

const form = document.getElementById("travel");

if (form) {
  const slider = document.getElementById("step");
  const number = document.getElementById("number");
  const offsets = JSON.parse(form.dataset.offsets);
  let request = null;
  let waiting = 0;

  const show = async (url) => {
    request?.abort();
    request = new AbortController();
    try {
      const response = await fetch(url, { signal: request.signal });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const part = page.getElementById("moment") ?? page.querySelector("main");
      document.getElementById("moment").replaceChildren(...part.childNodes);
      history.replaceState(null, "", url);
    } catch (error) {
      if (error.name !== "AbortError") document.getElementById("moment").textContent = `The console does not answer: ${error.message}`;
    }
  };

  const travel = (step) => {
    slider.value = step;
    number.textContent = step;
    form.elements.at.value = offsets[step - 1];
    const url = new URL(form.action);
    const since = new URL(location).searchParams.get("from");
    url.searchParams.set("at", offsets[step - 1]);
    if (since) url.searchParams.set("from", since);
    clearTimeout(waiting);
    waiting = setTimeout(show, 60, url);
  };

  const follow = () => travel(Number(slider.value));

  slider.addEventListener("input", follow);
  if (slider.value !== number.textContent) follow(); // the slider was moved before this script was loaded

  document.addEventListener("click", (click) => {
    const link = click.target.closest?.("#moment a[href*='?at=']");
    const step = link && link.pathname === new URL(form.action).pathname
      ? offsets.indexOf(Number(new URL(link.href).searchParams.get("at"))) + 1 : 0;
    if (step && !click.ctrlKey && !click.metaKey && !click.shiftKey && click.button === 0) {
      click.preventDefault();
      travel(step);
    }
  });
}
