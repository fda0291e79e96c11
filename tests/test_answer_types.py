"""Whether a sentence has the kind of thing that a question asks for."""

from __future__ import annotations

import pytest

from qa.wording.answer_types import lacks_answer_type


@pytest.mark.parametrize(
    ("language", "question", "sentence"),
    [
        ("fr", "Comment s'appelle l'institutrice de Saint-Orlan ?", "L'institutrice de Saint-Orlan est bloquée."),
        ("fr", "Comment s’appelle le député qui soutient Nigel Farage ?", "Il s'agit de Nigel Farage."),
        ("fr", "Qui a rouvert le pont ?", "Le pont a été rouvert vendredi, en novembre."),
        ("fr", "Qui est le maire de la commune ?", "Le maire de la commune est élu."),
        ("fr", "Quel est le nom de la protéine ?", "La protéine est commune à de nombreux cancers."),
        ("fr", "Qui dirige le programme du National Trust ?", "Le National Trust surveille les chauves-souris."),
        ("fr", "À qui appartient le pont des Tanneurs ?", "Le pont des Tanneurs appartient à son propriétaire."),
        ("fr", "Combien de temps ont-ils parlé ?", "Les pourparlers se sont terminés seul à seul."),
        ("fr", "À quelle vitesse rouleront les 12 trains ?", "Les 12 trains rouleront vite."),
        ("fr", "Quel est le prix du ticket ?", "Le ticket est cher."),
        ("fr", "Quel âge avait la doyenne ?", "La doyenne avait l'âge des autres."),
        ("fr", "Combien de ponts ont rouvert ?", "Les ponts ont rouvert sous un beau ciel."),
        ("en", "Who runs the National Trust's bat programme?", "The National Trust watches bats."),
        ("en", "By whom was it organised, according to Peter Bone?", "It was organised by Peter Bone."),
        ("en", "What is the name of the museum's director?", "The director works at the museum."),
        ("en", "What was the horse called?", "The horse was brown."),
        ("en", "How many would have died an hour later?", "It would have been much worse an hour later."),
        ("de", "Wie viele Keller pumpte die Feuerwehr leer?", "Die Feuerwehr pumpte Keller leer."),
        ("es", "¿Cómo se llama la veterinaria?", "La veterinaria es actriz."),
        ("es", "¿Quién diseñó el puente?", "El puente fue diseñado por la empresa."),
        ("it", "Come si chiama il venditore?", "Il venditore è un uomo di 52 anni."),
        ("it", "Quanti abitanti ha il paese?", "Il paese ha molti abitanti."),
    ],
)
def test_a_sentence_without_the_name_or_number_asked_for_lacks_it(language: str, question: str, sentence: str) -> None:
    assert lacks_answer_type(sentence, question, language)


@pytest.mark.parametrize(
    ("language", "question", "sentence"),
    [
        ("fr", "Comment s'appelle l'institutrice de Saint-Orlan ?", "L'institutrice s'appelle Paule Verdier."),
        ("fr", "Comment s'appelle l'institutrice de Saint-Orlan ?", "Paule Verdier."),
        ("fr", "Qui a marqué ?", "Delmotte a marqué."),
        ("fr", "Qui était Émile Marchand, qui a donné son nom à une rue ?", "Émile Marchand était maire."),
        ("fr", "Qui est-elle, Simone Arguel ?", "Simone Arguel est institutrice."),
        ("fr", "Combien de ponts ont rouvert ?", "Un pont a rouvert."),
        ("fr", "Qui sont les Xwla ?", "Les Xwla sont un peuple de pêcheurs."),
        ("fr", "Comment s'appelle ce maître ?", "Ce maître s'appelle gourou."),
        ("fr", "Quel est le nom de la palette ?", "La palette est appelée la palette vraiment garantie."),
        ("es", "¿Cómo se llama el maestro?", "El maestro se llama gurú."),
        ("it", "Come si chiama il maestro?", "Il maestro si chiama guru."),
        ("en", "What is another name for the water cycle?", "It is also known as the hydrological cycle."),
        ("en", "What is the meaning of the name Habib?", "It means beloved."),
        ("fr", "Où vit Kim, qui a pris le train ?", "Kim vit dans un palais."),
        ("fr", "Combien de temps ont-ils parlé ?", "Les pourparlers ont duré deux heures."),
        ("fr", "Combien de ponts ont rouvert ?", "Aucun pont n'a rouvert."),
        ("fr", "Combien d'objets ont disparu ?", "Plusieurs objets ont disparu."),
        ("fr", "Quel est le prix du ticket ?", "Le ticket coûte 1,60 euro."),
        ("fr", "Quel prix le film a-t-il reçu ?", "Le film a reçu la palme d'or."),
        ("fr", "Combien de temps le pont sera-t-il fermé ?", "Le pont sera fermé jusqu'au printemps."),
        ("fr", "Pourquoi le pont a-t-il rouvert ?", "Il était réparé."),
        ("en", "Who figured it out?", "Newton figured it out."),
        ("en", "Who is Hélène Marchand?", "She is the mayor."),
        ("en", "Who are the Xwla?", "The Xwla are a people of fishermen."),
        ("es", "¿Quiénes son los Xwla?", "Los Xwla son un pueblo de pescadores."),
        ("it", "Chi sono gli Xwla?", "Gli Xwla sono un popolo di pescatori."),
        ("en", "How much more land does it own?", "It owns approximately fifty percent more land."),
        ("en", "How many outputs are expected?", "A single output is expected."),
        ("en", "How long will it stay?", "It will stay forever."),
        ("en", "What is the town like?", "The town is small."),
        ("de", "Wie heißt die Ehefrau?", "Die Ehefrau ist Lehrerin."),  # every noun has a capital
        ("ro", "Cum se numesc tentaculele?", "Tentaculele sunt mici."),  # not among the languages that are read
        ("ar", "من بنى الجسر؟", "بناه المهندس."),
    ],
)
def test_otherwise_nothing_is_missed(language: str, question: str, sentence: str) -> None:
    assert not lacks_answer_type(sentence, question, language)
