"""From what is stored to a model that answers: a module for each form, with `load(request, folder, code, seed)`."""
