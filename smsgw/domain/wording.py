"""What buyers are told by SMS about their payments, in their languages; merchants may have words of their own."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from smsgw.domain import replies
from smsgw.domain.consent import WORDS, Kind
from smsgw.settings.merchant import Language


class Say(StrEnum):
    """One kind of message."""

    PROMPT = "prompt"  # {product} {price} {merchant} {support} {yes}: the question
    CHARGE = "charge"  # {product} {price} {merchant} {support} {reference}: text of the billed message, one SMS
    RECEIPT = "receipt"  # the same, free, after a success
    DECLINED = "declined"  # {product} {merchant}: NO was taken
    DECLINED_BILLED = "declined_billed"  # {product} {merchant} {support}: the same, and NO itself has cost money
    TOO_LATE = "too_late"  # {product} {merchant}: nothing was charged
    WHICH = "which"  # {yes}: several questions are open; answer with the reference ({yes} has an example)
    PLAINLY = "plainly"  # {yes} {no}: the answer was not plain
    AGAIN = "again"  # {yes}: two questions crossed; answer once more
    NOTHING = "nothing"  # nothing waits for an answer
    REFUSED = "refused"  # {product} {merchant} {support}: confirmed, but not charged
    STOPPED = "stopped"  # {merchant} {address}: no more questions; START brings them back
    STARTED = "started"  # {merchant}
    HELP = "help"  # {merchant} {product} {price} {support}
    ABOUT = (
        "about"  # {merchant} {product} {price} {support} {reference}: which payment it is, and nothing claimed of it
    )
    HELP_NOTHING = "help_nothing"  # nothing is open


PLACEHOLDERS: Final[Mapping[Say, tuple[str, ...]]] = {
    Say.PROMPT: ("product", "price", "merchant", "support", "yes"),
    Say.CHARGE: ("product", "price", "merchant", "support", "reference"),
    Say.RECEIPT: ("product", "price", "merchant", "support", "reference"),
    Say.DECLINED: ("product", "merchant"),
    Say.DECLINED_BILLED: ("product", "merchant", "support"),
    Say.TOO_LATE: ("product", "merchant"),
    Say.WHICH: ("yes",),
    Say.PLAINLY: ("yes", "no"),
    Say.AGAIN: ("yes",),
    Say.NOTHING: (),
    Say.REFUSED: ("product", "merchant", "support"),
    Say.STOPPED: ("merchant", "address"),
    Say.STARTED: ("merchant",),
    Say.HELP: ("merchant", "product", "price", "support"),
    Say.ABOUT: ("merchant", "product", "price", "support", "reference"),
    Say.HELP_NOTHING: (),
}

# A product's title stands where it needs no case and no gender, whatever the merchant calls it. In Cyrillic an SMS has
# 70 characters: a billed message must be one.
TEXTS: Final[Mapping[Language, Mapping[Say, str]]] = {
    "en": {
        Say.PROMPT: "{merchant}: {product}, {price}. To pay with your phone account, reply {yes}. Help: {support}",
        Say.CHARGE: "{merchant}: {product}, {price}. Thank you!",
        Say.RECEIPT: "{merchant}: {product}, {price}, paid. Thank you! Reference: {reference}. Help: {support}",
        Say.DECLINED: "{merchant}: {product} was not bought. Nothing was charged.",
        Say.DECLINED_BILLED: "{merchant}: {product} was not bought. For what your SMS cost, contact {support}",
        Say.TOO_LATE: "{merchant}: your answer came too late: {product}. Nothing was charged. Please order again.",
        Say.WHICH: "Several payments wait for your answer. Please reply with the number of one of them, such as {yes}",
        Say.PLAINLY: "Please reply with {yes} to pay, or {no} to decline, and nothing else.",
        Say.AGAIN: "Your answer crossed a newer question. If you agree to the newer one, please reply {yes} once more.",
        Say.NOTHING: "No payment is waiting for your answer.",
        Say.REFUSED: "{merchant}: {product}: the payment did not go through. Nothing was charged. Help: {support}",
        Say.STOPPED: "{merchant}: we will not ask you for payments any more. "
        "To allow it again, send START to {address}.",
        Say.STARTED: "{merchant}: you can pay by phone again. To stop, send STOP.",
        Say.HELP: "{merchant}: {product}, {price}, is waiting for your answer. Questions: {support}",
        Say.ABOUT: "{merchant}: {product}, {price}, no. {reference}. Questions: {support}",
        Say.HELP_NOTHING: "No payment is waiting for your answer. To get no more questions, send STOP.",
    },
    "bg": {
        Say.PROMPT: "{merchant}: {product}, {price}. За да платите със сметката на телефона си, отговорете с {yes}. "
        "Помощ: {support}",
        Say.CHARGE: "{merchant}: {product}, {price}. Благодарим!",
        Say.RECEIPT: "{merchant}: {product}, {price} - платено. Благодарим! Номер: {reference}. Помощ: {support}",
        Say.DECLINED: "{merchant}: {product} - покупката е отказана. Нищо не е таксувано.",
        Say.DECLINED_BILLED: "{merchant}: {product} - покупката е отказана. За цената на Вашия SMS: {support}",
        Say.TOO_LATE: "{merchant}: {product} - отговорът дойде твърде късно. Нищо не е таксувано. "
        "Моля, поръчайте отново.",
        Say.WHICH: "Няколко плащания чакат Вашия отговор. Моля, отговорете с номера на едно от тях, например {yes}",
        Say.PLAINLY: "Моля, отговорете само с {yes}, за да платите, или с {no}, за да откажете.",
        Say.AGAIN: "Отговорът Ви се размина с нов въпрос. Ако сте съгласни с новия, моля, отговорете още веднъж с "
        "{yes}.",
        Say.NOTHING: "Няма плащане, което да чака Вашия отговор.",
        Say.REFUSED: "{merchant}: {product} - плащането не беше успешно. Нищо не е таксувано. Помощ: {support}",
        Say.STOPPED: "{merchant}: повече няма да получавате искания за плащане. За да ги разрешите отново, изпратете "
        "СТАРТ на {address}.",
        Say.STARTED: "{merchant}: отново можете да плащате с телефона си. За да спрете, изпратете СТОП.",
        Say.HELP: "{merchant}: {product}, {price} - плащането чака Вашия отговор. Въпроси: {support}",
        Say.ABOUT: "{merchant}: {product}, {price}, № {reference}. Въпроси: {support}",
        Say.HELP_NOTHING: "Няма плащане, което да чака Вашия отговор. За да не получавате повече искания, изпратете "
        "СТОП.",
    },
    "uk": {
        Say.PROMPT: "{merchant}: {product}, {price}. Щоб сплатити з рахунку телефону, надішліть у відповідь {yes}. "
        "Довідка: {support}",
        Say.CHARGE: "{merchant}: {product}, {price}. Дякуємо!",
        Say.RECEIPT: "{merchant}: {product}, {price} - сплачено. Дякуємо! Номер: {reference}. Довідка: {support}",
        Say.DECLINED: "{merchant}: {product} - покупку скасовано. Кошти не списано.",
        Say.DECLINED_BILLED: "{merchant}: {product} - покупку скасовано. Щодо вартості вашого SMS: {support}",
        Say.TOO_LATE: "{merchant}: {product} - відповідь надійшла запізно. Кошти не списано. "
        "Будь ласка, замовте ще раз.",
        Say.WHICH: "Кілька платежів чекають на вашу відповідь. Надішліть, будь ласка, номер одного з них, "
        "наприклад {yes}",
        Say.PLAINLY: "Будь ласка, надішліть лише {yes}, щоб сплатити, або {no}, щоб відмовитися.",
        Say.AGAIN: "Ваша відповідь розминулася з новим запитом. Якщо ви погоджуєтеся на новий, надішліть, будь ласка, "
        "{yes} ще раз.",
        Say.NOTHING: "Жоден платіж не чекає на вашу відповідь.",
        Say.REFUSED: "{merchant}: {product} - оплата не пройшла. Кошти не списано. Довідка: {support}",
        Say.STOPPED: "{merchant}: ви більше не отримуватимете запитів на оплату. "
        "Щоб знову їх дозволити, надішліть СТАРТ на {address}.",
        Say.STARTED: "{merchant}: ви знову можете платити телефоном. Щоб припинити, надішліть СТОП.",
        Say.HELP: "{merchant}: {product}, {price} - платіж чекає на вашу відповідь. Питання: {support}",
        Say.ABOUT: "{merchant}: {product}, {price}, № {reference}. Питання: {support}",
        Say.HELP_NOTHING: "Жоден платіж не чекає на вашу відповідь. Щоб не отримувати запитів, надішліть СТОП.",
    },
    "ru": {
        Say.PROMPT: "{merchant}: {product}, {price}. Чтобы оплатить со счёта телефона, отправьте в ответ {yes}. "
        "Помощь: {support}",
        Say.CHARGE: "{merchant}: {product}, {price}. Спасибо!",
        Say.RECEIPT: "{merchant}: {product}, {price} - оплачено. Спасибо! Номер: {reference}. Помощь: {support}",
        Say.DECLINED: "{merchant}: {product} - покупка отменена. Деньги не списаны.",
        Say.DECLINED_BILLED: "{merchant}: {product} - покупка отменена. О стоимости вашего SMS: {support}",
        Say.TOO_LATE: "{merchant}: {product} - ответ пришёл слишком поздно. Деньги не списаны. "
        "Пожалуйста, закажите ещё раз.",
        Say.WHICH: "Несколько платежей ждут вашего ответа. Пожалуйста, отправьте номер одного из них, например {yes}",
        Say.PLAINLY: "Пожалуйста, отправьте только {yes}, чтобы оплатить, или {no}, чтобы отказаться.",
        Say.AGAIN: "Ваш ответ разминулся с новым запросом. Если вы согласны с новым, пожалуйста, отправьте {yes} ещё "
        "раз.",
        Say.NOTHING: "Ни один платёж не ждёт вашего ответа.",
        Say.REFUSED: "{merchant}: {product} - оплата не прошла. Деньги не списаны. Помощь: {support}",
        Say.STOPPED: "{merchant}: вы больше не будете получать запросы на оплату. "
        "Чтобы снова их разрешить, отправьте СТАРТ на {address}.",
        Say.STARTED: "{merchant}: вы снова можете платить телефоном. Чтобы прекратить, отправьте СТОП.",
        Say.HELP: "{merchant}: {product}, {price} - платёж ждёт вашего ответа. Вопросы: {support}",
        Say.ABOUT: "{merchant}: {product}, {price}, № {reference}. Вопросы: {support}",
        Say.HELP_NOTHING: "Ни один платёж не ждёт вашего ответа. Чтобы не получать запросов, отправьте СТОП.",
    },
}


def say(kind: Say, language: Language, values: Mapping[str, str], own: str | None = None) -> str:
    """Return what is said, with the values filled in.

    Args:
        kind: what about.
        language: the buyer's.
        values: at least the placeholders of this kind.
        own: the merchant's words for it, instead of ours.
    """
    return replies.render(own or TEXTS[language][kind], values)


def yes_word(language: Language) -> str:
    """Return the word that a buyer is shown for a confirmation: YES, ДА, ТАК."""
    return WORDS[language][Kind.YES][0].upper()


def no_word(language: Language) -> str:
    """Return the word that a buyer is shown for a refusal: NO, НЕ, НІ, НЕТ."""
    return WORDS[language][Kind.NO][0].upper()
