/** One WebSocket a tab: topics, deltas, sequence numbers, snapshots after a gap. */

export type Fields = Record<string, string | number | boolean | null>;
export type Records = Record<string, Fields>;

/** Called with changed fields by key; `whole` says that it is the topic's full state. */
export type Listener = (changed: Records, gone: string[], whole: boolean) => void;

interface Frame {
  t: string;
  q?: number;
  s?: Records;
  d?: Records;
  x?: string[];
  e?: string;
}

interface Topic {
  seq: number;
  listeners: Set<Listener>;
  known: Records;
  loaded: boolean;
}

const BACKOFF_MS = [250, 500, 1_000, 2_000, 4_000, 8_000];
const LOST_AFTER_MS = 2_500;

class Live {
  #socket: WebSocket | null = null;
  #topics = new Map<string, Topic>();
  #attempt = 0;
  #timer = 0;
  #lostTimer = 0;
  #started = false;

  /** Begin; the socket is closed while the tab is hidden, and everything is fetched anew after. */
  start(): void {
    this.#started = true;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    window.addEventListener("online", () => this.#open());
    window.addEventListener("pagehide", () => this.#close());
    this.#open();
  }

  subscribe(name: string, listener: Listener): () => void {
    let topic = this.#topics.get(name);
    if (!topic) {
      topic = { seq: -1, listeners: new Set(), known: {}, loaded: false };
      this.#topics.set(name, topic);
      this.#say({ sub: [name] });
    } else if (topic.loaded) {
      queueMicrotask(() => listener(topic!.known, [], true));
    }
    topic.listeners.add(listener);
    return () => this.#unsubscribe(name, listener);
  }

  #unsubscribe(name: string, listener: Listener): void {
    const topic = this.#topics.get(name);
    if (!topic) return;
    topic.listeners.delete(listener);
    if (topic.listeners.size === 0) {
      this.#topics.delete(name);
      this.#say({ unsub: [name] });
    }
  }

  #say(message: Record<string, string[]>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #open(): void {
    if (!this.#started || document.hidden || this.#socket) return;
    clearTimeout(this.#timer);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/live`);
    this.#socket = socket;
    this.#watchLoss();
    socket.onopen = () => {
      this.#attempt = 0;
      if (this.#topics.size) this.#say({ sub: [...this.#topics.keys()] });
    };
    socket.onmessage = (event: MessageEvent<string>) => {
      this.#found();
      this.#take(JSON.parse(event.data) as Frame);
    };
    socket.onclose = (event) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      if (event.code === 4401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
      else this.#retry();
    };
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#found();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    for (const topic of this.#topics.values()) topic.seq = -1;
  }

  #retry(): void {
    this.#watchLoss();
    const wait = BACKOFF_MS[Math.min(this.#attempt++, BACKOFF_MS.length - 1)]!;
    this.#timer = window.setTimeout(() => this.#open(), wait * (0.75 + Math.random() / 2));
  }

  #watchLoss(): void {
    if (this.#lostTimer) return;
    this.#lostTimer = window.setTimeout(() => showLost(true), LOST_AFTER_MS);
  }

  #found(): void {
    clearTimeout(this.#lostTimer);
    this.#lostTimer = 0;
    showLost(false);
  }

  #take(frame: Frame): void {
    const topic = this.#topics.get(frame.t);
    if (!topic || frame.q === undefined) return;
    if (frame.s) {
      const gone = Object.keys(topic.known).filter((key) => !(key in frame.s!));
      topic.seq = frame.q;
      topic.known = frame.s;
      topic.loaded = true;
      this.#tell(topic, frame.s, gone, true);
      return;
    }
    if (frame.q <= topic.seq) return;
    if (topic.seq < 0 || frame.q !== topic.seq + 1) {
      topic.seq = Number.MAX_SAFE_INTEGER;
      this.#say({ snap: [frame.t] });
      return;
    }
    topic.seq = frame.q;
    this.#merge(topic, frame);
  }

  #merge(topic: Topic, frame: Frame): void {
    const changed = frame.d ?? {};
    for (const [key, fields] of Object.entries(changed)) Object.assign((topic.known[key] ??= {}), fields);
    for (const key of frame.x ?? []) delete topic.known[key];
    this.#tell(topic, changed, frame.x ?? [], false);
  }

  #tell(topic: Topic, changed: Records, gone: string[], whole: boolean): void {
    for (const listener of topic.listeners) listener(changed, gone, whole);
  }
}

function showLost(lost: boolean): void {
  const note = document.querySelector<HTMLElement>("live-link");
  if (note && note.hidden === lost) note.hidden = !lost;
  document.body.classList.toggle("stale", lost);
}

export const live = new Live();
