import { Button } from "@mantine/core";
import { IconPlugConnectedX, IconMapOff, IconAlertTriangle } from "@tabler/icons-react";
import { Refused, Unreachable } from "@/api/client";
import { useT } from "@/i18n";
import { Empty } from "@/ui/Empty";
import { LinkButton } from "./LinkButton";

/** What went wrong with a request, in the server's words, and a way on. */
export function Trouble({ error, retry }: { error: unknown; retry?: () => void }) {
  const t = useT();
  const again = retry && (
    <Button variant="default" onClick={retry}>
      {t("common.retry")}
    </Button>
  );
  if (error instanceof Unreachable) {
    return <Empty icon={IconPlugConnectedX} title={t("error.unreachable")} action={again} />;
  }
  if (error instanceof Refused) {
    const { detail, help, status } = error.problem;
    const title = status === 404 ? t("error.notFound") : t("error.title");
    return <Empty icon={IconAlertTriangle} title={title} text={[detail, help].filter(Boolean).join(" · ")} action={again} />;
  }
  return <Empty icon={IconAlertTriangle} title={t("error.crash")} text={String(error)} action={again} />;
}

export function NotFound() {
  const t = useT();
  return (
    <Empty
      icon={IconMapOff}
      title={t("error.notFound")}
      text={t("error.notFoundHint")}
      action={
        <LinkButton to="/" variant="default">
          {t("nav.home")}
        </LinkButton>
      }
    />
  );
}

export function Crashed({ error, reset }: { error: unknown; reset: () => void }) {
  return <Trouble error={error} retry={reset} />;
}
