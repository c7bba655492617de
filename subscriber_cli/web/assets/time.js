// Moments and spans as people say them. Moments are seconds since the epoch.

import { LOCALE } from "./texts.js";

const CLOCK = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(LOCALE, { weekday: "short" });
const DATE = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short" });

/** `14:03`, with the day where it is not today. */
export function clock(at, now = Date.now() / 1000) {
  const then = new Date(at * 1000);
  const today = new Date(now * 1000);
  if (then.toDateString() === today.toDateString()) return CLOCK.format(then);
  const near = Math.abs(now - at) < 6 * 86400;
  return `${(near ? DAY : DATE).format(then)} ${CLOCK.format(then)}`;
}

/** `14:00`, or at midnight `Mon 30`. */
export function tick(at, step) {
  const then = new Date(at * 1000);
  if (step >= 86400) return DATE.format(then);
  return then.getHours() || then.getMinutes() ? CLOCK.format(then) : DATE.format(then);
}

/** `42 s`, `4 min`, `3 h 20 min`, `2 d 4 h`. */
export function span(seconds) {
  const whole = Math.max(Math.floor(seconds), 0);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${Math.floor(hours / 24)} d`;
}

/** The same without seconds, which nobody needs of what is going on. */
export function about(seconds) {
  return seconds < 60 ? "less than a minute" : span(seconds);
}

/** RFC 3339 to seconds since the epoch; null where it is none. */
export function moment(text) {
  const at = Date.parse(text ?? "") / 1000;
  return Number.isFinite(at) ? at : null;
}

/** Seconds since the epoch to RFC 3339. */
export function stamp(at) {
  return new Date(at * 1000).toISOString();
}
