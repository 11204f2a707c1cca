"""Tabular libraries: scikit-learn, XGBoost, LightGBM, CatBoost."""
