/** Timers can't be set further ahead than so many milliseconds, 24.8 days: they go off at once. */
export const TIMER_MAX_MS = 2 ** 31 - 1
