"""Training methods: one room each, behind the contract of `app.methods.method`.

A new method is a class and one call that registers it, in a file that --plugins names (ours stand
in `app.registry`):

    @app.register("trainer", "MyTrainer", "what it does, in one line")
    class MyMethod(FieldMethod):
        abilities = Abilities(observations=True)

        def model_and_trainer(self, experiment, shards, ranks):
            from app.methods.spatial.model import build_model  # imports TensorFlow, so only here
            from my_trainer import MyTrainer

            return build_model(experiment, shards, ranks), MyTrainer

`--trainer=MyTrainer` then chooses it. It must bring

- its `Abilities`, and its `task` where that is not space: flags that need another ability are
  refused without any code of the method's own;
- a way to train. There are three classes to begin with:
  `FieldMethod` (`app.methods.spatial.method`) trains one network on coarse and fine fields. It
  needs `model_and_trainer`: a physical model, and a `NetworkTrainer` that says what is lowered.
  `OnePhase` (`app.methods.one_phase`) trains one model in one loop. It needs `build`, which gives
  the model, its samples and its trainer.
  `Method` needs `train`, whatever that may be.

It may bring `rules` (combinations of flags that it does not go with), `check_data` (what only
data can tell), `resolve` (flags that it reads in its own way) and `kept_values` (the memory that
training takes). Nothing outside this package compares the name of a method; what differs is
asked of it. Modules named `method` never import TensorFlow at their top: `--help`, `list` and
`check` import them.
"""
