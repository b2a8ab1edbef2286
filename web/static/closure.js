// Keeps an open page up to date: fetches the same page again and puts in the parts that have changed.
(() => {
  "use strict";
  const main = document.querySelector("main[data-live]");
  if (!main) return;
  const news = document.getElementById("news");
  const reach = document.getElementById("reach");
  const longest = 60;
  let pause = Number(main.dataset.live);
  let timer = 0;
  let asking = null;
  let ended = false;

  const parts = (root) => [...root.querySelectorAll("main [data-live-part][id]")];
  const told = (root) => root.querySelector("[data-news]")?.dataset.news ?? "";
  const say = (place, text) => { if (place.textContent !== text) place.textContent = text; };
  // What the server sent last, to compare with: the page itself changes when somebody opens a list.
  const sent = new Map(parts(document).map((part) => [part.id, part.outerHTML]));

  // A person at work on a part keeps it as it is until they are through.
  function busy(part) {
    if (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) return true;
    const typed = [...part.querySelectorAll("input, textarea")];
    if (typed.some((field) => field.value !== field.defaultValue || field.checked !== field.defaultChecked)) return true;
    const picked = getSelection();
    return picked && !picked.isCollapsed && picked.containsNode(part, true);
  }

  function put(part, fresh) {
    const open = [...part.querySelectorAll("details[id]")].map((one) => [one.id, one.open]);
    const held = part.contains(document.activeElement) ? document.activeElement : null;
    const mark = held && (held.id || held.getAttribute("href") || held.closest("details")?.id);
    part.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
    for (const [id, was] of open) document.getElementById(id)?.toggleAttribute("open", was);
    if (!held) return;
    const again = [...part.querySelectorAll("[id], a[href], summary")].find((one) =>
      one.tagName === held.tagName && mark === (one.id || one.getAttribute("href") || one.closest("details")?.id));
    if (again) again.focus({ preventScroll: true });
  }

  function take(page) {
    const before = told(document);
    for (const part of parts(document)) {
      const fresh = page.getElementById(part.id);
      if (!fresh || fresh.outerHTML === sent.get(part.id) || busy(part)) continue;
      const now = fresh.outerHTML;
      put(part, fresh);
      if (fresh.dataset.news !== undefined) part.dataset.news = fresh.dataset.news;
      sent.set(part.id, now);
    }
    document.title = page.title;
    if (told(document) !== before) say(news, told(document));
    const next = page.querySelector("main")?.dataset.live;
    ended = next === undefined;
    pause = Number(next);
    say(reach, "");
  }

  async function ask() {
    asking = new AbortController();
    const limit = setTimeout(() => asking.abort(), 20000);
    try {
      const answer = await fetch(location.href, { cache: "no-store", redirect: "manual", signal: asking.signal });
      if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) {
        ended = true;
        say(reach, "You are signed out. Load the page again to sign in.");
      } else if (answer.ok) {
        take(new DOMParser().parseFromString(await answer.text(), "text/html"));
      } else {
        throw new Error(String(answer.status));
      }
    } catch (error) {
      if (document.hidden) return;
      pause = Math.min(2 * pause, longest);
      say(reach, "Not reachable just now. What you see may be old; trying again.");
    } finally {
      clearTimeout(limit);
      asking = null;
    }
  }

  async function round() {
    timer = 0;
    if (asking || document.hidden || ended) return;
    await ask();
    plan();
  }

  function plan() {
    clearTimeout(timer);
    if (!ended && !document.hidden) timer = setTimeout(round, 1000 * pause);
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) round();
  });
  addEventListener("online", round);
  addEventListener("pageshow", (event) => { if (event.persisted) round(); });
  plan();
})();
