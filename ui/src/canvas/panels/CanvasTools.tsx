import { ActionIcon, Tooltip } from "@mantine/core";
import { IconArrowsMaximize, IconLayoutDistributeVertical, IconMinus, IconPlus } from "@tabler/icons-react";
import { Panel, useReactFlow } from "@xyflow/react";
import { useT } from "@/i18n";
import { useStudio } from "@/studio/store";
import classes from "./panels.module.css";

/** Zoom and layout. */
export function CanvasTools() {
  const t = useT();
  const { zoomIn, zoomOut, fitView } = useReactFlow();
  const arrange = useStudio((state) => state.arrange);
  const tools = [
    { label: t("canvas.zoomIn"), icon: IconPlus, run: () => zoomIn() },
    { label: t("canvas.zoomOut"), icon: IconMinus, run: () => zoomOut() },
    { label: t("canvas.fit"), icon: IconArrowsMaximize, run: () => fitView({ padding: 0.18, maxZoom: 1.05 }) },
    {
      label: t("canvas.arrange"),
      icon: IconLayoutDistributeVertical,
      run: () => {
        arrange();
        requestAnimationFrame(() => void fitView({ padding: 0.18, maxZoom: 1.05 }));
      },
    },
  ];
  return (
    <Panel position="bottom-left" className={classes.tools}>
      {tools.map(({ label, icon: Icon, run }) => (
        <Tooltip key={label} label={label} position="right">
          <ActionIcon onClick={() => void run()} aria-label={label} size={30}>
            <Icon size={16} stroke={1.7} />
          </ActionIcon>
        </Tooltip>
      ))}
    </Panel>
  );
}
