"""Sliders and pictures for the lessons. Nothing is imported before it is asked for."""

from importlib import import_module

_WHERE = {
    "explore_step_size": "numerics",
    "explore_broadcasting": "broadcasting",
    "explore_neuron": "neurons",
    "explore_hidden_lines": "neurons",
    "explore_bends": "neurons",
    "train_two_layer": "neurons",
    "explore_graph": "graph",
    "explore_two_layer": "backprop",
    "explore_activation": "activations",
    "explore_depth": "depth",
    "explore_confidence": "losses",
    "explore_logits": "losses",
    "explore_init": "initialisation",
    "explore_trainability": "initialisation",
    "explore_descent": "mlp",
    "explore_training": "mlp",
    "draw_digit": "mlp",
    "explore_optimisers": "optimisers",
    "name_the_curve": "optimisers",
    "explore_state": "rnn",
    "explore_time_gradient": "rnn",
    "explore_threshold": "metrics",
    "explore_imbalance": "metrics",
    "explore_batch": "normalisation",
    "explore_norm_depth": "normalisation",
    "explore_gan": "gan",
    "explore_best_discriminator": "gan_pictures",
    "explore_digits": "gan_pictures",
    "explore_degree": "regularisation",
    "explore_penalty": "regularisation",
    "explore_lstm": "lstm",
    "explore_memory": "lstm_memory",
    "explore_convolution": "convolution",
    "explore_windows": "convolution_windows",
    "explore_kernel_size": "convolution_kernels",
    "explore_augmentation": "cnn",
    "explore_feature_maps": "cnn",
    "visit_bug_zoo": "bug_zoo_widget",
    "show": "still",
    "LiveFigure": "live",
    "Explorer": "frame",
    "explorer": "frame",
    "slider": "controls",
    "log_slider": "controls",
    "steps": "controls",
    "choice": "controls",
    "toggle": "controls",
    "LearnerProblem": "learner",
}

__all__ = list(_WHERE)


def __getattr__(name: str):
    if name in ("style", "learner"):
        return import_module(f".{name}", __name__)
    if name in _WHERE:
        return getattr(import_module(f".{_WHERE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
