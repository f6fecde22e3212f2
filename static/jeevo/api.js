// The page of the API: Swagger UI from our own files, on our own schema, with nothing fetched from elsewhere.

const place = document.getElementById("api");
window.SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  validatorUrl: null,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  supportedSubmitMethods: ["get", "post"],
});
