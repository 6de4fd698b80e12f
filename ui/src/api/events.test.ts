import { expect, test } from "vitest";
import { type Message, MessageParser } from "./events";

const STREAM = ': hello\n\nid: 7\ndata: {"a":\ndata: 1}\n\nevent: gap\r\ndata: x\r\n\r\ndata:tight\n\n';
const EXPECTED: Message[] = [
  { id: "7", event: "", data: '{"a":\n1}' },
  { id: "", event: "gap", data: "x" },
  { id: "", event: "", data: "tight" },
];

test("a stream is read the same wherever its pieces break", () => {
  for (let size = 1; size <= STREAM.length; size += 1) {
    const parser = new MessageParser();
    const read: Message[] = [];
    for (let at = 0; at < STREAM.length; at += size) read.push(...parser.push(STREAM.slice(at, at + size)));
    expect(read).toEqual(EXPECTED);
  }
});
