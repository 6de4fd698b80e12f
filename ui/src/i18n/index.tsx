import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";
import en from "./en";
import { format, type Values } from "./format";
import { pseudo } from "./pseudo";

export type Key = keyof typeof en;
/** Every catalog has every key: the compiler says so. */
export type Catalog = Record<Key, string>;
export type Language = "en" | "zh-CN" | "ja" | "pseudo";
export type Translate = (key: Key, values?: Values) => string;

export const LANGUAGES: { value: Language; label: string }[] = [
  { value: "en", label: "English" },
  { value: "zh-CN", label: "简体中文" },
  { value: "ja", label: "日本語" },
];

/** English is there from the start; the others come when they are chosen. */
const CATALOGS: Record<Language, () => Promise<Catalog>> = {
  en: async () => en,
  "zh-CN": async () => (await import("./zh-CN")).default,
  ja: async () => (await import("./ja")).default,
  pseudo: async () => pseudo(en),
};

interface Speech {
  language: Language;
  /** For `Intl`: a language that it knows. */
  locale: string;
  t: Translate;
  setLanguage(language: Language): void;
}

const Context = createContext<Speech | null>(null);
const STORED = "agentweaver.language";

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, choose] = useState<Language>(initial);
  const [spoken, setSpoken] = useState<{ language: Language; catalog: Catalog }>({ language: "en", catalog: en });

  useEffect(() => {
    let current = true;
    void CATALOGS[language]().then((catalog) => {
      if (!current) return;
      setSpoken({ language, catalog });
      document.documentElement.lang = language === "pseudo" ? "en" : language;
    });
    return () => {
      current = false;
    };
  }, [language]);

  const setLanguage = useCallback((language: Language) => {
    localStorage.setItem(STORED, language);
    choose(language);
  }, []);

  const speech = useMemo<Speech>(() => {
    const locale = spoken.language === "pseudo" ? "en" : spoken.language;
    const t: Translate = (key, values) => format(spoken.catalog[key] ?? en[key], values, locale);
    return { language, locale, t, setLanguage };
  }, [language, spoken, setLanguage]);

  return <Context.Provider value={speech}>{children}</Context.Provider>;
}

export function useSpeech(): Speech {
  const speech = useContext(Context);
  if (!speech) throw new Error("LanguageProvider is missing");
  return speech;
}

export function useT(): Translate {
  return useSpeech().t;
}

function initial(): Language {
  const stored = localStorage.getItem(STORED);
  if (stored && stored in CATALOGS) return stored as Language;
  const wanted = navigator.languages.map((language) => language.toLowerCase());
  const first = wanted.find((language) => /^(en|zh|ja)/.test(language)) ?? "en";
  return first.startsWith("zh") ? "zh-CN" : first.startsWith("ja") ? "ja" : "en";
}
