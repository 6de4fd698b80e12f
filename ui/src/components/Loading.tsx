import { Skeleton } from "@mantine/core";
import { useT } from "@/i18n";

/** The shape of a list that is on its way. */
export function Loading({ rows = 4 }: { rows?: number }) {
  const t = useT();
  return (
    <div role="status" aria-label={t("common.loading")} style={{ display: "grid", gap: 10 }}>
      {Array.from({ length: rows }, (_, at) => (
        <Skeleton key={at} height={42} radius={8} />
      ))}
    </div>
  );
}
