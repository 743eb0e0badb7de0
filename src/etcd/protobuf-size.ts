/**
 * How many bytes a message takes as protobuf, which is what etcd's limits count, found without building them.
 */
import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf'
import { FieldKind, type FieldTable, type MessageTable, messageTable, type PlainMessage, type PlainOneof } from './message-table.ts'
