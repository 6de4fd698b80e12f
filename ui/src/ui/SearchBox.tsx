import { TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";

interface SearchBoxProps {
  label: string;
  /** What is looked for, as it stands in the address. */
  value: string | undefined;
  /** As high as the buttons beside it. */
  beside?: "buttons";
  /** Is told when the typing rests. */
  onSearch(text: string | undefined): void;
}

/** A text that a list is filtered by. */
export function SearchBox({ label, value, beside, onSearch }: SearchBoxProps) {
  const [typed, setTyped] = useState(value ?? "");
  const sent = useRef(value);
  const search = useDebouncedCallback((text: string) => {
    sent.current = text.trim() || undefined;
    onSearch(sent.current);
  }, 250);
  // The address may change by itself (back, a link); what was typed here is never taken back.
  useEffect(() => {
    if (value !== sent.current) setTyped(value ?? "");
    sent.current = value;
  }, [value]);
  return (
    <TextInput
      w={220}
      size={beside && "xs"}
      leftSection={<IconSearch size={15} />}
      aria-label={label}
      placeholder={label}
      value={typed}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        search(event.currentTarget.value);
      }}
    />
  );
}
