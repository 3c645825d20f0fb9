"""Questions about the images' codes, the encoder that reads them, and where the model fails."""

from __future__ import annotations

from reportgen.analyses import (
    between_images,
    code_book,
    code_map,
    dependent_shares,
    errors,
    latent_responses,
    picture_angles,
    reads,
)
from reportgen.report import views
from reportgen.report.question import Place, Question

ABOUT_CODES = (
    Question(
        name="errors",
        title="Where it fails",
        lead="Which images does the model reconstruct badly, and which well?",
        place=Place.PCA,
        opened=True,
        run=errors.run,
        answer=errors.Errors,
        view=views.errors.view,
        limits=views.errors.limits,
        describes="data",
    ),
    Question(name="reads", run=reads.run, answer=reads.Reads),
    Question(
        name="code_map",
        title="Map of the codes",
        lead="Which images lie near each other in the code, and where is none?",
        place=Place.WALK,
        run=code_map.run,
        answer=code_map.CodeMap,
        view=views.code_map.view,
        limits=views.code_map.limits,
        describes="data",
    ),
    Question(
        name="between_images",
        title="Between two images",
        lead="What does the decoder draw between two images?",
        place=Place.WALK,
        run=between_images.run,
        answer=between_images.BetweenImages,
        view=views.between_images.view,
        moved=views.between_images.moved,
    ),
    Question(
        name="latent_responses",
        title="What comes back",
        lead="Does the encoder recognise what each unit paints?",
        place=Place.UNITS,
        run=latent_responses.run,
        answer=latent_responses.LatentResponses,
        view=views.latent_responses.view,
        limits=views.latent_responses.limits,
    ),
    Question(name="picture_angles", run=picture_angles.run, answer=picture_angles.PictureAngles),
    Question(
        name="dependent_shares",
        title="Shares when units go together",
        lead="Which units carry the picture, where some say the same?",
        place=Place.WHICH_MATTER,
        run=dependent_shares.run,
        answer=dependent_shares.DependentShares,
        describes="data",
    ),
    Question(
        name="code_book",
        title="Words of the code book",
        lead="Which words does the code use, and what does each paint?",
        place=Place.UNITS,
        run=code_book.run,
        answer=code_book.CodeBook,
        view=views.code_book.view,
        limits=views.code_book.limits,
        describes="data",
    ),
)
