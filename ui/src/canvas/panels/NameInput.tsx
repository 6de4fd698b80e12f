import { TextInput, type TextInputProps } from "@mantine/core";
import { useEffect, useState } from "react";

type Props = Omit<TextInputProps, "value" | "onChange" | "onBlur" | "onKeyDown"> & {
  name: string;
  /** Whether it has the new name now; it is shown under its old one otherwise. */
  onRename(to: string): Promise<boolean>;
};

/** A name that is edited where it stands: Enter and leaving it rename, Escape does not. */
export function NameInput({ name, onRename, ...rest }: Props) {
  const [text, setText] = useState(name);
  useEffect(() => setText(name), [name]);
  const rename = async () => {
    const to = text.trim();
    if (to === "" || to === name || !(await onRename(to))) setText(name);
  };
  return (
    <TextInput
      size="xs"
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={() => void rename()}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === "Enter") event.currentTarget.blur();
        if (event.key === "Escape") setText(name);
      }}
      {...rest}
    />
  );
}
