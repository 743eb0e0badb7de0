import { createApp } from '../app.ts'
import type { Context } from '../context.ts'
import { fakeContext } from './fake-services.ts'

const app = createApp()

/** A range request that the fake store answers. */
export const KEY = '{"key":"YQ=="}'

/** Asks the HTTP application for a request target, as a server does that knows how the client wrote it. */
export async function fetchApp(target: string, init: RequestInit = {}, context: Context = fakeContext()) {
  return await app.fetch(new Request(new URL(target, 'http://test'), init), { context, target })
}

export async function post(target: string, body = KEY, headers: Record<string, string> = {}) {
  return await fetchApp(target, { method: 'POST', body, headers })
}
