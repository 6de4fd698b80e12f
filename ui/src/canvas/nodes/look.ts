import {
  IconArrowsSplit2,
  IconBolt,
  IconBox,
  IconBraces,
  IconFlag,
  IconHelpHexagon,
  IconMessageQuestion,
  IconPlayerPlay,
  IconSend,
  IconSparkles,
  IconTool,
  IconUsers,
} from "@tabler/icons-react";
import type { Key } from "@/i18n";
import type { Look } from "../model/picture";

/** Icon and word for each kind of node; the colour is in the style sheet, by the same name. */
export const LOOK: Record<Look, { icon: typeof IconBolt; label: Key }> = {
  start: { icon: IconPlayerPlay, label: "node.start" },
  end: { icon: IconFlag, label: "node.end" },
  function: { icon: IconBraces, label: "node.function" },
  model: { icon: IconSparkles, label: "node.model" },
  input: { icon: IconMessageQuestion, label: "node.input" },
  agent: { icon: IconUsers, label: "node.agent" },
  tool: { icon: IconTool, label: "node.tool" },
  logic: { icon: IconArrowsSplit2, label: "node.logic" },
  output: { icon: IconSend, label: "node.output" },
  subgraph: { icon: IconBox, label: "node.subgraph" },
  dynamic: { icon: IconHelpHexagon, label: "node.dynamic" },
};
