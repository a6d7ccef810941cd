// The payment's page, live: by server-sent events, by asking now and then where they do not get through. Without this
// script everything works too: the page looks again by itself. What is put into the page comes from our own templates.

document.documentElement.classList.add("js");

const ASK_EVERY_MS = 3000;
const RETURN_AFTER_S = 5;
let ticking = null; // the clock of the time left

// --- forms: sent once, however often the button is pressed (the server would notice as well) -------------------------

for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    form.setAttribute("aria-busy", "true");
  });
}
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-once]")) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }
});

// --- the payment ----------------------------------------------------------------------------------------------------

const panel = document.getElementById("panel");
if (panel) follow(panel);

function follow(panel) {
  const { place } = panel.dataset;
  const query = `lang=${document.documentElement.lang}`;
  const offline = document.getElementById("offline");
  let final = "final" in panel.dataset;
  let stream = null;
  let asking = null;

  startClock(panel);
  if (final) return;

  function show(told) {
    offline.hidden = true;
    const before = panel.dataset.status;
    if (told.status !== before || told.final) {
      const hadFocus = panel.contains(document.activeElement);
      panel.innerHTML = told.html;
      panel.className = `panel ${told.mood}`;
      panel.dataset.status = told.status;
      if (told.status !== before) {
        document.title = document.title.replace(/^.*(?= · )/, () => told.title);
        document.getElementById("live").textContent = told.title;
      }
      if (hadFocus) document.getElementById("title").focus({ preventScroll: true });
      startClock(panel);
      if (told.status === "succeeded" && before !== "succeeded") goBackSoon(panel, place);
    }
    if (told.final) finish();
  }

  function finish() {
    final = true;
    stream?.close();
    clearInterval(asking);
  }

  async function ask() {
    try {
      const answer = await fetch(`${place}/state?${query}`, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      const told = await answer.json();
      if (!final) show(told);
    } catch {
      if (!final) offline.hidden = false;
    }
  }

  function keepAsking() {
    if (asking === null && !final) asking = setInterval(ask, ASK_EVERY_MS);
    if (!final) ask();
  }

  function listen() {
    if (final) return;
    stream?.close();
    if (!("EventSource" in window)) return keepAsking();
    stream = new EventSource(`${place}/events?${query}`);
    stream.addEventListener("state", (event) => {
      clearInterval(asking);
      asking = null;
      show(JSON.parse(event.data));
    });
    stream.addEventListener("error", keepAsking); // the browser tries again by itself, unless it was refused
  }

  listen();
  // A phone puts the page to sleep while its owner answers the SMS: look at once when it wakes.
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && !final) {
      ask();
      if (stream?.readyState === 2) listen();
    }
  });
}

// --- time left ------------------------------------------------------------------------------------------------------

function startClock(panel) {
  clearInterval(ticking);
  const clock = panel.querySelector("#clock");
  if (!clock) return;
  const until = Date.now() + Number(clock.dataset.left);
  panel.querySelector(".left .words").hidden = true;
  panel.querySelector(".left .clock").hidden = false;
  const tick = () => {
    const left = Math.max(0, Math.round((until - Date.now()) / 1000));
    panel.querySelector(".left").hidden = left === 0; // an answer that is on its way still counts for a while
    clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  };
  tick();
  ticking = setInterval(tick, 1000);
}

// --- back to the shop -----------------------------------------------------------------------------------------------

function goBackSoon(panel, place) {
  const line = panel.querySelector("#returning");
  let left = RETURN_AFTER_S;
  const say = () => {
    line.querySelector("span").textContent = line.dataset.text.replace("{seconds}", left);
  };
  const timer = setInterval(() => {
    left -= 1;
    if (left > 0) return say();
    clearInterval(timer);
    location.assign(`${place}/return`);
  }, 1000);
  line.querySelector("button").addEventListener("click", () => {
    clearInterval(timer);
    line.hidden = true;
    panel.querySelector("#return").focus();
  });
  say();
  line.hidden = false;
}
