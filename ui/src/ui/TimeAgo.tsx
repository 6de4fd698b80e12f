import { useEffect, useState } from "react";
import { useSpeech } from "@/i18n";
import { ago, moment } from "@/util/format";

/** A moment as seen from now; the exact one on hover. */
export function TimeAgo({ time }: { time: string }) {
  const { locale } = useSpeech();
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <time dateTime={time} title={moment(time, locale)} className="numeric">
      {ago(time, Math.max(now, Date.parse(time)), locale)}
    </time>
  );
}
