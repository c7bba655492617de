// Every word of the page stands here, in one language. A translation is another file like this one.

export const LOCALE = "en";

export const STATES = {
  quiet: "Quiet",
  busy: "Busy",
  hot: "Hot",
  cooling: "Cooling down",
  pressure: "Under pressure",
  offline: "Offline",
  stale: "Silent",
  "": "Not told yet",
};

/** States in which what a machine said last may be over. */
export const SILENT = ["offline", "stale"];

export const RESOURCES = {
  cpu: "processor",
  memory: "memory",
  disk: "disk",
  network: "network",
  gpu: "graphics card",
};

export const CATEGORIES = {
  ai: "AI",
  file_sharing: "file sharing",
  remote_access: "remote access",
  smart_home: "smart home",
};

export const GAPS = {
  not_running: "fanwhy did not run",
  asleep: "the machine slept",
  clock_set: "the clock was set",
  not_recorded: "the recorder did not listen",
};

export const MEASURED = {
  cpu_temperature_celsius: ["Processor temperature", "°C"],
  fan_speed_rpm: ["Fan", "rpm"],
  power_watts: ["Power", "W"],
  cpu_percent: ["Processor usage", "%"],
};

export const TEXT = {
  // Connection.
  connecting: "Connecting …",
  live: "Live",
  reconnecting: "Not connected. Trying again …",
  noBroker: (why) => `The broker cannot be reached: ${why}`,

  // The answer.
  waiting: "Nothing has been heard yet",
  waitingNote: "As soon as a machine with fanwhy-pub speaks to the broker, it stands here.",
  offline: (name) => `${name} is offline`,
  lastWord: (sentence) => `Its last word: ${sentence}`,
  silent: (ago) => `Nothing was heard for ${ago}: what stands here may be over.`,
  notSaid: (name) => `${name} has not said yet why`,
  since: (clock, span) => `since ${clock} (${span})`,
  quietIn: (span) => `quiet again in about ${span}`,
  unnamed: (percent) => `${percent} % of the work could be given no name`,

  // Causes.
  causes: "Who it is",
  noCause: "Nobody is to blame now.",
  forWhom: (name) => `for ${name}`,
  ended: "ended; its heat is left",
  whatToDo: "What you can do",
  onMachine: (name) => `On ${name}:`,
  nothingHarmless: "There is no command for it that does no harm and can be taken back.",
  mine: "This is my …",
  mineHelp: "Give it your own name. From then on fanwhy calls it so.",
  mineLabel: "What you call it",
  minePlaceholder: "Nightly copy",
  copy: "Copy",
  copied: "Copied",
  evidence: "What was measured",
  cleared: "Who was looked at and is not to blame",

  // Timeline.
  timeline: "The last hours",
  spans: { 1: "1 hour", 3: "3 hours", 12: "12 hours", 24: "24 hours", 48: "2 days", 168: "7 days" },
  earlier: "Earlier",
  later: "Later",
  closer: "Closer",
  wider: "Wider",
  tapHelp: "Tap a moment to ask why then.",
  chartLabel: (from, to) => `From ${from} to ${to}. Arrow keys choose a moment.`,
  whyThen: (clock) => `Why at ${clock}?`,
  asking: "Asking …",
  nothingThen: "Nothing is known of that time.",
  others: (count) => (count === 1 ? "and one more cause" : `and ${count} more causes`),
  asList: "The same as a list",
  when: "When",
  what: "What",
  until: (from, to) => `${from} to ${to}`,
  lasting: (from) => `since ${from}`,
  notWatched: (why) => `Not watched: ${why}`,
  alertWas: (message) => `Alert: ${message}`,
  failed: (why) => `That could not be asked: ${why}`,

  // Tables.
  users: "Who uses what",
  name: "Name",
  more: (count) => `${count} more`,
  values: "All values",
  topics: {
    cpu: "Processor",
    memory: "Memory",
    disk: "Disks",
    network: "Network",
    gpu: "Graphics",
    thermal: "Heat and fans",
    power: "Power",
    info: "This machine",
    self: "fanwhy itself",
  },
  allOf: (count) => `All ${count} values`,
  ago: (span) => `${span} ago`,
  large: "This is too much to show here.",

  // Events.
  events: "What happened",
  filter: "Show",
  kinds: { all: "everything", cause: "causes", state: "states", alert: "alerts" },
  search: "Search",
  noEvents: "Nothing yet.",
  older: "Older ones",
  mute: "Mute",
  unmute: (count) => `Show what is muted (${count})`,

  // Report.
  report: "The bill",
  periods: { day: "Day", week: "Week", month: "Month" },
  loud: "Loud",
  hot: "Hot",
  busy: "Busy",
  named: "Named",
  energy: "Energy",
  cost: "Cost",
  knownFor: (span) => `Known of ${span}.`,
  loudest: {
    fan_speed_rpm: "The loudest minutes",
    cpu_temperature_celsius: "The hottest minutes",
    cpu_percent: "The busiest minutes",
  },
  newNames: "New",
  grewNames: "More than before",
  unattributed: "nobody could be named",
  noReport: "Nothing is known of that time yet.",

  // What cannot be seen.
  hidden: "What fanwhy cannot see here",
  hiddenHelp: "Each line says why, and what would change it.",
  denied: "Not allowed",
  failing: "Fails",
  hanging: "Does not answer",

  // House.
  house: "The house",
  youHear: "You hear this one",
  allQuiet: "All quiet",
  busyCount: (busy, all) =>
    busy === 0 ? `All ${all} machines are quiet` : `${busy} of ${all} machines are at work`,
  refresh: "Ask again",
  refreshed: "Asked. What it says comes by itself.",
  addresses: "For programs",
  logout: "Log out",
};
