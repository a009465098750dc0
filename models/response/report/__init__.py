"""The reports of a case and of a period, in Chinese: HTML, PDF, or Markdown."""
