import { Button, Textarea } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/actions";
import { Refused } from "@/api/client";
import type { JsonSchema } from "@/api/spec";
import type { Question } from "@/api/types";
import { isRecord, questionText } from "@/canvas/model/run";
import { useT } from "@/i18n";
import { JsonTree } from "@/ui/JsonTree";
import { SchemaForm } from "@/ui/SchemaForm";
import classes from "./run.module.css";

/** What a run asks a person, as a form. */
export function QuestionCard({ execution, question }: { execution: string; question: Question }) {
  const t = useT();
  const client = useQueryClient();
  const [text, setText] = useState("");
  const [form, setForm] = useState<Record<string, unknown>>({});
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const { schema, answers, facts } = partsOf(question.value);

  const answer = async (given: unknown) => {
    setBusy(true);
    setProblem(undefined);
    try {
      await api.resume(execution, { question: question.id, answer: given });
      await client.invalidateQueries({ queryKey: ["execution", execution] });
      void client.invalidateQueries({ queryKey: ["executions"] });
    } catch (error) {
      setProblem(error instanceof Refused ? error.message : t("error.unreachable"));
    } finally {
      setBusy(false);
    }
  };
  const send = () => void answer(schema ? form : valueOf(text));
  return (
    <form
      className={classes.question}
      aria-label={t("run.asks")}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <p className={classes.asks}>{questionText(question.value)}</p>
      {facts.length > 0 && (
        <div className={classes.facts}>
          {facts.map(([name, value]) => (
            <JsonTree key={name} name={name} value={value} />
          ))}
        </div>
      )}
      {answers.length > 0 && (
        <div className={classes.answers}>
          {answers.map((choice) => (
            <Button key={choice} variant="light" disabled={busy} onClick={() => void answer(choice)}>
              {choice}
            </Button>
          ))}
        </div>
      )}
      {schema ? (
        <SchemaForm schema={schema} value={form} onChange={setForm} />
      ) : (
        <Textarea
          label={answers.length > 0 ? t("run.otherAnswer") : t("run.answer")}
          minRows={1}
          maxRows={8}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            // While an input method composes, Enter chooses a character.
            if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing || text === "") return;
            event.preventDefault();
            send();
          }}
        />
      )}
      {problem && <p style={{ color: "var(--madder)", marginTop: 8, fontSize: 13 }}>{problem}</p>}
      <div className={classes.foot} style={{ marginTop: 10 }}>
        <Button type="submit" variant={answers.length > 0 ? "default" : "filled"} loading={busy} disabled={!schema && text === ""}>
          {t("run.send")}
        </Button>
      </div>
    </form>
  );
}

/** A question is any value; a few keys have a meaning for the form. */
function partsOf(value: unknown): { schema?: JsonSchema; answers: string[]; facts: [string, unknown][] } {
  if (!isRecord(value)) return { answers: [], facts: [] };
  const { schema, answers, options, question, message, prompt, title, ...rest } = value;
  const listed = Array.isArray(answers) ? answers : Array.isArray(options) ? options : [];
  return {
    schema: isRecord(schema) && isRecord(schema.properties) ? (schema as JsonSchema) : undefined,
    answers: listed.filter((choice) => typeof choice === "string"),
    facts: Object.entries(rest),
  };
}

/** `{"amount": 50}` and `3` are meant as values, everything else as text. */
function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
