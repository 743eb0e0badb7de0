import { openSync, writeSync } from 'node:fs'
import { fileErrorReason } from '../file-error.ts'

type Write = (line: string) => void

const toStandardError: Write = (line) => console.error(line)

/** Where etcd's own names for outputs lead. Under systemd, standard error is its journal. */
const STREAMS: Readonly<Record<string, Write>> = {
  default: toStandardError,
  stderr: toStandardError,
  'systemd/journal': toStandardError,
  stdout: (line) => console.log(line),
}

/**
 * Opens the outputs of a log: streams by etcd's names, files by their paths, which are made or appended to. Gives what
 * writes one line to all of them, and never fails: whatever the line is about goes on where the disk is full. Fails with an
 * Error fit to be shown when a file can't be opened.
 */
export function openLogOutputs(outputs: readonly string[]): Write {
  const targets = [...new Set(outputs.map((output) => STREAMS[output] ?? openFile(output)))]
  return (line) => {
    for (const write of targets) write(line)
  }
}

function openFile(path: string): Write {
  const told = (error: unknown) => `--log-outputs ${path}: ${fileErrorReason(error)}`
  let file: number
  try {
    file = openSync(path, 'a', 0o600)
  } catch (error) {
    throw new Error(told(error), { cause: error })
  }
  let isBroken = false
  return (line) => {
    try {
      writeSync(file, `${line}\n`)
      isBroken = false
    } catch (error) {
      if (!isBroken) toStandardError(told(error))
      isBroken = true
    }
  }
}
