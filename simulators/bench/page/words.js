// The bench page's words in Kazakh and Russian, by their English ones. What has no entry is shown as it is.
"use strict";

const WORDS = {
  "Vehicle bench": ["Көлік стенді", "Стенд автомобиля"],
  "The far side of the agent's wires. What you do here, the agent only sees through its pins.": [
    "Агент сымдарының арғы жағы. Мұндағы әрекетті агент тек өз контактілері арқылы көреді.",
    "Другая сторона проводов агента. То, что здесь делают, агент видит только через свои контакты.",
  ],
  "Everything back to auto": ["Бәрін автоматқа қайтару", "Всё вернуть в авто"],
  "connecting…": ["қосылуда…", "соединение…"],
  live: ["байланыс бар", "на связи"],
  "BENCH DOES NOT ANSWER": ["СТЕНД ЖАУАП БЕРМЕЙДІ", "СТЕНД НЕ ОТВЕЧАЕТ"],
  "Not done": ["Орындалмады", "Не выполнено"],
  "Permit relay": ["Рұқсат беру релесі", "Реле разрешения"],
  "Outputs driven by the agent": ["Агент басқаратын шығыстар", "Выходы, которыми управляет агент"],
  "What happened": ["Не болды", "Что произошло"],
  "newest first": ["алдымен жаңасы", "сначала новое"],
  "Panel buttons": ["Панель түймелері", "Кнопки панели"],
  "Doors and locks": ["Есіктер мен құлыптар", "Двери и замки"],
  "cut, short and leak damage the wire": [
    "үзу, тұйықтау және ағу сымды бүлдіреді",
    "обрыв, замыкание и утечка портят провод",
  ],
  "Care watch": ["Адамдарды бақылау", "Наблюдение за людьми"],
  press: ["басу", "нажать"],
  idle: ["тыныш", "покой"],
  "Contacts and switches": ["Контактілер мен ажыратқыштар", "Контакты и выключатели"],
  Cables: ["Кабельдер", "Кабели"],
  GNSS: ["Спутниктік навигация", "Спутниковая навигация"],
  Radio: ["Радиостанция", "Радиостанция"],
  Broker: ["Брокер", "Брокер"],
  Processes: ["Процестер", "Процессы"],
  OPEN: ["АЖЫРАТЫЛҒАН", "РАЗОМКНУТО"],
  CLOSED: ["ҚОСЫЛҒАН", "ЗАМКНУТО"],
  "energised: enable is high and pulses come": [
    "қуат бар: рұқсат берілген, импульстер келеді",
    "под током: разрешение есть, импульсы идут",
  ],
  "released: enable is low or no pulse came for 200 ms": [
    "қуатсыз: рұқсат жоқ немесе 200 мс импульс келмеді",
    "обесточено: нет разрешения или 200 мс нет импульса",
  ],
  "READY (driver)": ["ӘЗІР (жүргізуші)", "ГОТОВ (водитель)"],
  "STOP (driver)": ["ТОҚТА (жүргізуші)", "СТОП (водитель)"],
  "COUNT (body)": ["САНАУ (шанақ)", "СЧЁТ (кузов)"],
  "ALARM (body)": ["ДАБЫЛ (шанақ)", "ТРЕВОГА (кузов)"],
  "hold 5 s": ["5 с ұстау", "5 с"],
  "hold 12 s": ["12 с ұстау", "12 с"],
  "a click presses for 0.5 s": ["шерту 0,5 с басады", "щелчок нажимает на 0,5 с"],
  "Permit enable": ["Рұқсат сигналы", "Сигнал разрешения"],
  "held high while boarding is open; the relay also needs pulses": [
    "отырғызу ашық кезде тұрады; релеге импульс те керек",
    "есть, пока посадка открыта; реле нужны и импульсы",
  ],
  "Ready lamp": ["«Әзір» шамы", "Лампа «Готов»"],
  "on the driver's panel": ["жүргізуші панелінде", "на панели водителя"],
  "Red lamp": ["Қызыл шам", "Красная лампа"],
  "boarding refused": ["отырғызуға болмайды", "посадка запрещена"],
  Buzzer: ["Зуммер", "Зуммер"],
  "Fan inhibit": ["Желдеткішті үзу", "Прерывание вентиляции"],
  "interrupts the fan, at most 10 s": ["желдеткішті үзеді, ең көбі 10 с", "прерывает вентиляцию, не дольше 10 с"],
  "Light inhibit": ["Жарықты үзу", "Прерывание света"],
  "interrupts the light, at most 10 s": ["жарықты үзеді, ең көбі 10 с", "прерывает свет, не дольше 10 с"],
  "Beacon test": ["Маякты сынау", "Проверка маячка"],
  "lights the beacon": ["маякты жағады", "зажигает маячок"],
  "Intercom tone": ["Сөйлесу құрылғысының тоны", "Тон переговорного устройства"],
  ON: ["ҚОСУЛЫ", "ВКЛ"],
  off: ["өшірулі", "выкл"],
  pressed: ["басылған", "нажата"],
  "let go": ["жіберілген", "отпущена"],
  applied: ["тартылған", "затянут"],
  released: ["босатылған", "отпущен"],
  "engine on": ["қозғалтқыш қосулы", "двигатель включён"],
  "engine off": ["қозғалтқыш өшірулі", "двигатель выключен"],
  "air flows": ["ауа ағыны бар", "воздух идёт"],
  "no air": ["ауа ағыны жоқ", "воздуха нет"],
  "light seen": ["жарық бар", "свет виден"],
  dark: ["қараңғы", "темно"],
  "beacon lit": ["маяк жанып тұр", "маячок горит"],
  "beacon dark": ["маяк жанбайды", "маячок не горит"],
  "tone heard": ["тон естіледі", "тон слышен"],
  silent: ["үнсіз", "тишина"],
  "crew's switch on": ["ажыратқыш қосулы", "выключатель включён"],
  "crew's switch off": ["ажыратқыш өшірулі", "выключатель выключен"],
  "relay seen closed": ["реле қосулы", "реле замкнуто"],
  "relay seen open": ["реле ажыратылған", "реле разомкнуто"],
  "as the simulated vehicle has it": ["көлік үлгісіндегідей", "как у модели автомобиля"],
  "the wire is broken": ["сым үзілген", "провод оборван"],
  "the wires touch each other": ["сымдар түйіскен", "провода замкнуты"],
  "water across the wires: a level that is no state": [
    "сымдар арасында су: күйге сай емес деңгей",
    "вода между проводами: уровень вне состояний",
  ],
  "cut: reads as open": ["үзілген: ажыратылған болып оқылады", "обрыв: читается как разомкнуто"],
  "short: reads as closed": ["тұйықталған: қосылған болып оқылады", "замыкание: читается как замкнуто"],
  locked: ["құлыпталған", "заперто"],
  "bolt open": ["ысырма ашық", "засов открыт"],
  "door open": ["есік ашық", "дверь открыта"],
  "both open": ["екеуі де ашық", "открыто всё"],
  closed: ["қосылған", "замкнуто"],
  open: ["ажыратылған", "разомкнуто"],
  auto: ["авто", "авто"],
  cut: ["үзу", "обрыв"],
  short: ["ҚТ", "КЗ"],
  leak: ["ағу", "утечка"],
  supply: ["қоректенуге тұйықталу", "замыкание на питание"],
  bridge: ["көршімен тұйықталу", "замыкание на соседний"],
  "by hand": ["қолмен", "вручную"],
  "body door": ["шанақ есігі", "дверь кузова"],
  "driver ready": ["жүргізуші ӘЗІР", "водитель ГОТОВ"],
  "driver stop": ["жүргізуші ТОҚТА", "водитель СТОП"],
  "body count": ["шанақ САНАУ", "кузов СЧЁТ"],
  "alarm button": ["дабыл түймесі", "кнопка тревоги"],
  handbrake: ["қол тежегіші", "ручной тормоз"],
  ignition: ["тұтандыру", "зажигание"],
  airflow: ["ауа ағыны", "поток воздуха"],
  "light sense": ["жарық датчигі", "датчик света"],
  "beacon sense": ["маяк датчигі", "датчик маячка"],
  "intercom return": ["сөйлесу құрылғысының жауабы", "ответ переговорного"],
  "fan switch": ["желдеткіш ажыратқышы", "выключатель вентиляции"],
  "light switch": ["жарық ажыратқышы", "выключатель света"],
  "beacon switch": ["маяк ажыратқышы", "выключатель маячка"],
  "permit readback": ["рұқсат релесінің кері белгісі", "обратный контакт реле"],
  "permit relay": ["рұқсат релесі", "реле разрешения"],
  "permit enable": ["рұқсат сигналы", "сигнал разрешения"],
  "permit lamp red": ["қызыл шам", "красная лампа"],
  "ready lamp": ["«әзір» шамы", "лампа «готов»"],
  buzzer: ["зуммер", "зуммер"],
  "fan inhibit": ["желдеткішті үзу", "прерывание вентиляции"],
  "light inhibit": ["жарықты үзу", "прерывание света"],
  "beacon test": ["маякты сынау", "проверка маячка"],
  "intercom tone": ["сөйлесу тоны", "тон переговорного"],
  parked: ["тұрақта", "на стоянке"],
  route: ["маршрут", "маршрут"],
  file: ["файл", "файл"],
  garbage: ["бүлінген дерек", "мусор"],
  jam: ["бөгеуіл", "помеха"],
  spoof: ["жалған дерек", "подмена"],
  unplug: ["ажырату", "отключить кабель"],
  registered: ["тіркелген", "зарегистрирована"],
  searching: ["желі іздеуде", "поиск сети"],
  up: ["жұмыс істейді", "работает"],
  down: ["өшірулі", "отключён"],
  "half open": ["жауапсыз", "без ответа"],
  slow: ["баяу", "медленно"],
  latitude: ["ендік", "широта"],
  longitude: ["бойлық", "долгота"],
  "speed m/s": ["жылдамдық м/с", "скорость м/с"],
  dBm: ["дБм", "дБм"],
};

const LANGUAGES = ["kk", "ru", "en"];
const language = (() => {
  const asked = new URLSearchParams(location.search).get("lang") ?? localStorage.getItem("language");
  return LANGUAGES.includes(asked) ? asked : "en";
})();

// What stands in a cell, by its wire's words, with the cell's number.
const CELLS = {
  cell: ["{n}-камера", "камера {n}"],
  "cell call": ["{n}-камерадан шақыру", "вызов из камеры {n}"],
  "cell temperature": ["{n}-камера температурасы", "температура, камера {n}"],
};

// The words of the chosen language; `cell 3` and other numbered names keep their number.
function say(english) {
  const cell = /^(cell(?: call| temperature)?) (\d+)$/.exec(english);
  if (cell && language !== "en") return CELLS[cell[1]][LANGUAGES.indexOf(language)].replace("{n}", cell[2]);
  const entry = WORDS[english];
  return language === "en" || entry === undefined ? english : entry[LANGUAGES.indexOf(language)];
}

function sayPage() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  document.title = say("Vehicle bench");
  document.documentElement.style.setProperty("--by-hand", JSON.stringify(say("by hand")));
  for (const code of LANGUAGES) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = { kk: "Қаз", ru: "Рус", en: "Eng" }[code];
    button.setAttribute("aria-pressed", String(code === language));
    button.onclick = () => {
      localStorage.setItem("language", code);
      location.search = "";
    };
    document.querySelector("#languages").append(button);
  }
}
