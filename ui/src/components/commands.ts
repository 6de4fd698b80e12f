import type { IconSearch } from "@tabler/icons-react";
import { useEffect } from "react";
import { create } from "zustand";

/** Something that the page on screen can do. */
export interface Command {
  id: string;
  label: string;
  run: () => void;
  keys?: string;
  keywords?: string[];
  icon?: typeof IconSearch;
}

export const useCommands = create<{ commands: Command[] }>(() => ({ commands: [] }));

/** Offers the commands in the palette while the page is there. */
export function usePageCommands(commands: Command[]) {
  useEffect(() => {
    useCommands.setState({ commands });
    return () => useCommands.setState({ commands: [] });
  }, [commands]);
}
