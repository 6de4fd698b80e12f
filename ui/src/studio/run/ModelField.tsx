import { Autocomplete } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { modelsQuery } from "@/api/queries";
import { useT } from "@/i18n";
import { useStudio } from "../store";

/** Another model for every model call of a run; empty leaves it to the code. */
export function ModelField() {
  const t = useT();
  const model = useStudio((state) => state.model);
  // Providers are asked for their models, which takes them a moment: not before one wants to choose.
  const [wanted, setWanted] = useState(false);
  const { data } = useQuery({ ...modelsQuery(), enabled: wanted });
  const names = data?.items.flatMap(({ provider, models }) => models.map(({ name }) => `${provider}/${name}`)) ?? [];
  return (
    <Autocomplete
      size="sm"
      mt="sm"
      label={t("run.model")}
      placeholder={t("run.modelOfCode")}
      data={[...new Set(names)]}
      limit={20}
      value={model}
      onFocus={() => setWanted(true)}
      onChange={(model) => useStudio.setState({ model })}
    />
  );
}
