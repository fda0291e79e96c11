"""The small words that give a language away in a question of five words, where letter statistics waver."""

from __future__ import annotations

# Articles, pronouns, prepositions, question words, forms of to be and to have, as they are written, accents included.
FUNCTION_WORDS = {
    "ca": "el la els les un una de del dels i o que qui què com quan on per amb en és són va van aquest aquesta "
    "no hi ha quin quina quins quines quant quants quantes al als pel seu seva",
    "cs": "a v na je se že kdo co jak kdy kde který která jsou byl byla bylo pro od do z s o ve kolik proč jaký "
    "jaká to",
    "de": "der die das den dem des ein eine einen einem einer und oder ist sind war wird wurde was wer wie wann "
    "wo warum welche welcher welches wieviel viele in im am auf für mit nach von vom zu zum zur nicht hat "
    "haben es er sie sich als",
    "en": "the a an of and or is are was were be been what who whom when where why how which in on at for with "
    "from to by did does do has have had not it its he she they his her their that this many much can "
    "could would after there",
    "es": "el la los las un una de del y o que qué quién quiénes cómo cuándo dónde cuál cuáles cuánto cuántos "
    "cuántas por con en es son fue fueron se su sus no al a para más está ha han hay era lo como",
    "fr": "le la les un une des de du et ou est sont était a ont quel quelle quels quelles qui que quoi comment "
    "quand où pourquoi combien en dans par avec pour sur au aux ce cette il elle ils se sa son ses ne pas "
    "plus fut été y à leur dont l d qu c s n j",
    "hu": "a az egy és vagy hogy ki mi mit mikor hol miért melyik mennyi hány van volt nem is ez meg milyen hogyan",
    "it": "il lo la i gli le un una uno di del della dei degli delle e o è sono era che chi cosa come quando "
    "dove perché quale quali quanto quanti quante per con in nel nella si non ha hanno al alla fu più su "
    "da dal",
    "nl": "de het een en of is zijn was werd wat wie wanneer waar waarom hoe welke welk hoeveel in op voor met "
    "van naar niet heeft hebben er dat die bij aan door wordt waren",
    "pl": "i w na z do się jest są był była było kto co jak kiedy gdzie który która które ile dlaczego o od nie "
    "że czy po za to jaki jaka jakie",
    "pt": "o a os as um uma de do da dos das e ou é são foi que quem quando onde como qual quais quanto quantos "
    "quantas por com em no na nos nas se não ao para mais está seu sua foram tem",
    "ro": "și sau este sunt era a fost au care cine ce cum când unde cât câți câte pentru cu în la din de pe nu "
    "se un o al ale lui prin după mai numele fi către într",
    "sv": "en ett och eller är var vad vem hur när varför vilken vilka vilket i på för med av till inte har det "
    "den som de att från hade många",
    "tr": "ve bir bu ne kim nasıl nerede hangi kaç için ile da de mi mı çok olan olarak neden kimdir nedir",
}
