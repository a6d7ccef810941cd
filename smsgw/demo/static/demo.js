// The phone, the live status and the wire: all by one event stream. Texts enter the page as text only.

const $ = (id) => document.getElementById(id);
const [thread, messages, empty, notice, text] = ["thread", "messages", "empty", "notice", "text"].map($);
const send = document.querySelector("#compose button");
const narrow = matchMedia("(max-width: 899px)");
const GATEWAY_PATIENCE_MS = 3000;

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const clock = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const seconds = (ms) => (ms < 10000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms / 1000)} s`);

// --- messages -------------------------------------------------------------------------------------------------------

const STATES = { sending: "Sending …", delivered: "Delivered", refused: "Not delivered" };

function bubble(message) {
  const item = make("li", { id: `message-${message.id}`, className: message.state });
  const body = make("p");
  const at = message.code ? message.text.indexOf(message.code) : -1;
  if (at < 0) body.append(message.text);
  else {
    const use = make("button", { type: "button", className: "use", textContent: message.code });
    use.setAttribute("aria-label", `Use code ${message.code}`);
    use.addEventListener("click", () => useCode(message.code));
    body.append(message.text.slice(0, at), use, message.text.slice(at + message.code.length));
  }
  const state = STATES[message.state] ?? (message.reply_ms === null ? "" : `after ${seconds(message.reply_ms)}`);
  item.append(body, make("small", { textContent: [clock(message.at_ms), state].filter(Boolean).join(" · ") }));
  if (at >= 0) item.append(make("small", { className: "tap", textContent: "Tap the code to use it" }));
  return item;
}

function showMessages(changed) {
  for (const message of changed) {
    const known = $(`message-${message.id}`);
    if (known) known.replaceWith(bubble(message));
    else messages.append(bubble(message));
  }
  suggest(changed);
  empty.hidden = true;
  const { question } = $("hint").dataset;
  $("hint").parentElement.hidden = question ? question !== "open" : messages.querySelector(".received .use") !== null;
  thread.scrollTop = thread.scrollHeight;
}

// A question is answered by the word that it asks for; the suggestion writes it, its owner sends it.
function suggest(changed) {
  const hint = $("hint");
  for (const message of changed) {
    if (message.answer) {
      hint.dataset.text = message.answer;
      hint.replaceChildren("Answer ", make("b", { textContent: message.answer }));
      hint.dataset.question = "open";
    } else if (message.state !== "received" && hint.dataset.question === "open") hint.dataset.question = "answered";
  }
}

function useCode(code) {
  const field = $("code");
  if (!field) {
    sessionStorage.setItem("code", code);
    location.assign("/");
    return;
  }
  field.value = code;
  field.classList.remove("filled");
  void field.offsetWidth; // restarts the animation
  field.classList.add("filled");
  $("trouble").textContent = "";
  const button = $("code-form").querySelector("button");
  button.focus({ preventScroll: true });
  if (narrow.matches) $("code-form").scrollIntoView({ block: "center", behavior: "smooth" });
}

// --- writing --------------------------------------------------------------------------------------------------------

const ready = () => {
  send.disabled = text.value.trim() === "";
};

async function sendMessage() {
  if (send.disabled) return;
  const draft = text.value;
  text.value = "";
  ready();
  notice.textContent = "";
  try {
    const answer = await fetch("/phone/messages", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ text: draft }),
    });
    if (answer.ok) return;
    notice.textContent = (await answer.json()).detail;
  } catch {
    notice.textContent = "The demo does not answer. Is it still running?";
  }
  if (text.value === "") text.value = draft;
  ready();
}

text.addEventListener("input", ready);
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  sendMessage();
});
$("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  sendMessage();
});
$("hint").addEventListener("click", (event) => {
  text.value = event.currentTarget.dataset.text;
  ready();
  text.focus({ preventScroll: true });
});

// --- the merchant's form --------------------------------------------------------------------------------------------

const form = $("code-form");
if (form) {
  const kept = sessionStorage.getItem("code");
  sessionStorage.removeItem("code");
  if (kept) useCode(kept);
  form.addEventListener("submit", async (event) => {
    // The browser's own error page would be the end of the visit; so look first whether the gateway is there.
    event.preventDefault();
    const gateway = new URL(form.action);
    try {
      const signal = AbortSignal.timeout(GATEWAY_PATIENCE_MS);
      await fetch(`${gateway.origin}/health`, { mode: "no-cors", cache: "no-store", credentials: "omit", signal });
      form.submit();
    } catch {
      $("trouble").textContent = `The gateway does not answer at ${gateway.host}. Please try again in a moment.`;
    }
  });
}

// The gateway has sent the visitor back: on a narrow screen its answer is below the phone.
if (narrow.matches && location.pathname !== "/") document.querySelector(".browser").scrollIntoView();

// --- live -----------------------------------------------------------------------------------------------------------

const pdus = new Map();
const WAYS = { operator: "operator → gateway", gateway: "gateway → operator" };
const took = (pdu) => (pdu.took_ms === null ? "" : `${pdu.took_ms.toFixed(1)} ms`);
const precise = (at) => {
  const time = new Date(at);
  return `${time.toLocaleTimeString([], { hourCycle: "h23" })}.${String(time.getMilliseconds()).padStart(3, "0")}`;
};

function showWire(changed) {
  for (const pdu of changed) pdus.set(pdu.id, pdu);
  const last = [...pdus.values()].slice(-12);
  for (const id of pdus.keys()) if (id < last[0].id) pdus.delete(id);
  const rows = last.map((pdu) => {
    const status = pdu.status === 0 ? "OK" : `0x${pdu.status.toString(16).padStart(8, "0")}`;
    const cells = [precise(pdu.at_ms), WAYS[pdu.sender], pdu.name, pdu.sequence, status, took(pdu)];
    return make("tr", { className: pdu.sender }, ...cells.map((cell) => make("td", { textContent: cell })));
  });
  $("pdus").replaceChildren(...rows.reverse());
  const steps = last.slice(-4).flatMap((pdu, index) => {
    const step = make("code", { className: pdu.sender, textContent: pdu.name });
    const time = took(pdu);
    return [index ? " → " : "", step, time ? ` ${time}` : ""];
  });
  $("last").replaceChildren(...steps);
}

$("wire").addEventListener("toggle", (event) => event.currentTarget.scrollIntoView({ block: "nearest" }));

function showLink(state, sentence) {
  $("link").dataset.state = state;
  const line = $("link").querySelector("span");
  if (line.textContent !== sentence) line.textContent = sentence;
}

function showBinds([binds]) {
  if (binds.length === 0) return showLink("down", "Operator link: not bound; messages wait");
  const kinds = [...new Set(binds.map((bind) => bind.kind))].join(" and ");
  return showLink("bound", `Operator link: bound as ${kinds}`);
}

const stream = new EventSource("/phone/events");
const listen = (name, show) => stream.addEventListener(name, (event) => show(JSON.parse(event.data)));
listen("messages", showMessages);
listen("wire", showWire);
listen("binds", (changed) => {
  showBinds(changed);
  messages.setAttribute("aria-busy", "false"); // what was there before has been shown; from now on a screen reader tells what is new
});
stream.addEventListener("error", () => {
  showLink("down", "Lost the demo; trying again …");
  // Refused rather than interrupted: the demo was started anew and does not know this phone. A new page gets a new one.
  if (stream.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 1000);
});

const tick = () => {
  $("clock").textContent = clock(Date.now());
};
tick();
setInterval(tick, 1000);
