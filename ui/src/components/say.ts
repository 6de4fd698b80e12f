import { notifications } from "@mantine/notifications";

/** Short messages at the edge of the screen. */
export const say = {
  done: (message: string) => notifications.show({ message, color: "teal", autoClose: 3_000 }),
  trouble: (message: string) => notifications.show({ message, color: "red", autoClose: 8_000 }),
};
