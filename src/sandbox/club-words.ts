/** Names of invented people: given names of one or two syllables before plants and birds. */
export const FIRST_NAMES = ["Asha", "Bo", "Caro", "Dev", "Eli", "Fen", "Gus", "Hani", "Ines", "Jory", "Kit", "Lumi"];
export const LAST_NAMES = [
  "Alder",
  "Bramble",
  "Curlew",
  "Dunnock",
  "Elmwood",
  "Fieldfare",
  "Gorse",
  "Hawthorn",
  "Ibis",
];

/** Races as people title them: emoji, HTML-significant characters, quotes. */
export const RACE_NAMES = [
  "Harbour Half Marathon",
  "Bay & Hills <10k>",
  "Riverside 5k 🏁",
  "City Marathon — finally sub 4!",
  "parkrun #312",
  'The "Long" Mile',
  "Cross Country Champs 🥇🥇",
  "Twilight 10k, PB 🎉",
];

export const RUN_NAMES = ["Morning Run", "Lunch Run", "Afternoon Run", "Evening Run", "Easy w/ the gang 🐢", "5 x 1k"];

/** What athletes write below an activity: nothing, an empty text, line ends of Windows, emoji, HTML, a whole essay. */
export const DESCRIPTIONS: readonly (string | null)[] = [
  null,
  null,
  null,
  "",
  "",
  "Felt good.\r\nNegative split!\r\n\r\nThanks to all marshals 🙌🏽",
  "🇦🇺🥰",
  'Windy & wet: <b>never again</b> "they said"',
  "Legs ok, head not.",
  "Chip time 42:17, gun time 42:31",
];
