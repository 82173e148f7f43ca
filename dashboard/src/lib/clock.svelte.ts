// The time that the page shows: one tick a second while it is visible, and times in words.
import { settings } from './settings.svelte'

class Clock {
  now = $state(Date.now())
}

export const clock = new Clock()

setInterval(() => {
  if (!document.hidden) clock.now = Date.now()
}, 1_000)
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) clock.now = Date.now()
})

/** A time in milliseconds, with its microseconds, which `Date` drops. */
export function precise(time: string): number {
  const digits = /\.\d{3}(\d{1,3})/.exec(time)?.[1]
  return Date.parse(time) + (digits === undefined ? 0 : Number(`0.${digits}`))
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A span in seconds as two units at most: `42s`, `3m 5s`, `2h 10m`, `5d 3h`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const two = (large: number, unit: string, small: number, smaller: string) =>
    small === 0 ? `${large}${unit}` : `${large}${unit} ${small}${smaller}`
  if (whole < MINUTE) return `${whole}s`
  if (whole < HOUR) return two(Math.floor(whole / MINUTE), 'm', whole % MINUTE, 's')
  if (whole < DAY) return two(Math.floor(whole / HOUR), 'h', Math.floor((whole % HOUR) / MINUTE), 'm')
  return two(Math.floor(whole / DAY), 'd', Math.floor((whole % DAY) / HOUR), 'h')
}

/** How long ago or ahead, in one unit: `now`, `12s ago`, `in 5m`. */
export function relative(time: string, now: number): string {
  const seconds = (Date.parse(time) - now) / 1_000
  const size = Math.abs(seconds)
  if (Number.isNaN(seconds)) return '–'
  if (size < 1.5) return 'now'
  const words =
    size < MINUTE ? `${Math.round(size)}s`
    : size < HOUR ? `${Math.floor(size / MINUTE)}m`
    : size < DAY ? `${Math.floor(size / HOUR)}h`
    : `${Math.floor(size / DAY)}d`
  return seconds < 0 ? `${words} ago` : `in ${words}`
}

/** Formats are dear to make, and asked for by every row of a list that scrolls. */
const formats = new Map<string, Intl.DateTimeFormat>()

function format(name: string, make: () => Intl.DateTimeFormat): Intl.DateTimeFormat {
  const known = formats.get(name) ?? make()
  formats.set(name, known)
  return known
}

/** Date and time in the chosen zone, with milliseconds if asked for. */
export function absolute(time: string, precise = false): string {
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) return time
  const utc = settings.zone === 'utc'
  return format(`absolute ${utc} ${precise}`, () => dateAndTime(utc, precise)).format(date).replace(',', '')
}

function dateAndTime(utc: boolean, precise: boolean): Intl.DateTimeFormat {
  const parts: Intl.DateTimeFormatOptions = {
    year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit',
    hourCycle: 'h23', timeZoneName: 'short',
    ...(utc ? { timeZone: 'UTC' } : {}),
    ...(precise ? { fractionalSecondDigits: 3 as const } : {}),
  }
  return new Intl.DateTimeFormat('en-CA', parts)
}

/** Time of day in the chosen zone. */
export function timeOfDay(ms: number): string {
  const utc = settings.zone === 'utc'
  const zone = utc ? { timeZone: 'UTC' } : {}
  return format(`day ${utc}`, () => new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', ...zone })).format(ms)
}
